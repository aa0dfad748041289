/* Finds the ends of a block's rows, and the rows that lack a mandatory value, in one pass.

   The grammar is that of `boundaries.py`. `scan_block` stops before the first row that is
   incomplete, has another width or a fault, or is longer than a cell may be. `plain_scan` decides
   about such rows. The block is UTF-8 without NUL bytes: the caller uses `valid_prefix_bytes`. A
   NUL byte follows it, as in every `bytes` object of Python. */

#include <stddef.h>
#include <stdint.h>

enum { CHUNK = 64, LANE = 16 }; /* bytes per 64-bit word of flags, bytes compared at once */

typedef uint8_t Lane __attribute__((vector_size(LANE), aligned(1)));
typedef char Signed __attribute__((vector_size(LANE)));

typedef struct {
    const uint8_t *bytes;
    size_t length;
    size_t chunk;        /* index of the chunk that the flags describe */
    uint64_t separators; /* a flag for each comma and line end, the first byte in the lowest bit */
    uint64_t quotes;
} Walk;

typedef struct {
    int64_t used_bytes;
    int64_t row_count;
    int64_t unset_count;
    int64_t line_count;
} Found;

/* Return a bit for each byte; all bytes are 0 or 255. */
static uint64_t gather(Lane flags)
{
#ifdef __SSE2__
    return (uint16_t)__builtin_ia32_pmovmskb128((Signed)flags);
#else
    uint64_t bits = 0;
    for (int place = 0; place < LANE; place++)
        bits |= (uint64_t)(flags[place] & 1) << place;
    return bits;
#endif
}

static void read_chunk(Walk *walk, const uint8_t *bytes)
{
    walk->separators = walk->quotes = 0;
    for (int start = 0; start < CHUNK; start += LANE) {
        Lane lane = *(const Lane *)(bytes + start);
        Lane separates = (Lane)(lane == ',') | (Lane)(lane == '\n') | (Lane)(lane == '\r');
        walk->separators |= gather(separates) << start;
        walk->quotes |= gather((Lane)(lane == '"')) << start;
    }
}

static void enter_chunk(Walk *walk, size_t chunk)
{
    size_t start = chunk * CHUNK;
    walk->chunk = chunk;
    if (walk->length - start >= CHUNK) {
        read_chunk(walk, walk->bytes + start);
    } else {
        uint8_t rest[CHUNK] = {0};
        for (size_t place = start; place < walk->length; place++)
            rest[place - start] = walk->bytes[place];
        read_chunk(walk, rest);
    }
}

/* Return the place of the next flagged byte at or after `from`; the block's end if there is none. */
static inline size_t next(Walk *walk, size_t from, const uint64_t *flags)
{
    if (from >= walk->length)
        return walk->length;
    if (from / CHUNK != walk->chunk)
        enter_chunk(walk, from / CHUNK);
    uint64_t left = *flags & (UINT64_MAX << from % CHUNK);
    while (!left) {
        if ((walk->chunk + 1) * CHUNK >= walk->length)
            return walk->length;
        enter_chunk(walk, walk->chunk + 1);
        left = *flags;
    }
    return walk->chunk * CHUNK + (size_t)__builtin_ctzll(left);
}

/* Return the place after a cell. No separator stands there if the cell continues or text follows
   its closing quote. */
static inline size_t pass_cell(Walk *walk, size_t start)
{
    if (walk->bytes[start] != '"')
        return next(walk, start, &walk->separators);
    size_t quote = next(walk, start + 1, &walk->quotes);
    while (quote < walk->length && walk->bytes[quote + 1] == '"')
        quote = next(walk, quote + 2, &walk->quotes);
    return quote < walk->length ? quote + 1 : quote;
}

static inline int is_unset(const uint8_t *cell, size_t length)
{
    if (length >= 2 && cell[0] == '"') {
        cell += 1;
        length -= 2;
    }
    for (size_t place = 0; place < length; place++)
        if (cell[place] != ' ' && cell[place] != '\t')
            return 0;
    return 1;
}

/* Return the place after the line end at `at`; `at` itself if the next block may extend it. */
static inline size_t pass_line_end(const Walk *walk, size_t at)
{
    if (walk->bytes[at] == '\n')
        return at + 1;
    if (at + 1 == walk->length)
        return at;
    return walk->bytes[at + 1] == '\n' ? at + 2 : at + 1;
}

static size_t pass_blank_lines(const Walk *walk, size_t at)
{
    while (at < walk->length && (walk->bytes[at] == '\n' || walk->bytes[at] == '\r')) {
        size_t after = pass_line_end(walk, at);
        if (after == at)
            return walk->length;
        at = after;
    }
    return at;
}

/* Return the place after the row that begins at `start`; `start` itself if the row is in doubt. */
static inline size_t pass_row(
    Walk *walk, size_t start, size_t width, const uint8_t *is_mandatory, int *lacks_value)
{
    size_t at = start;
    *lacks_value = 0;
    for (size_t column = 0; column < width; column++) {
        size_t cell = at;
        at = pass_cell(walk, cell);
        if (at >= walk->length)
            return start;
        uint8_t follower = walk->bytes[at];
        int ends_row = follower == '\n' || follower == '\r';
        if (ends_row != (column + 1 == width) || !(ends_row || follower == ','))
            return start;
        if (is_mandatory[column])
            *lacks_value |= is_unset(walk->bytes + cell, at - cell);
        at += !ends_row;
    }
    size_t after = pass_line_end(walk, at);
    return after == at ? start : after;
}

static int64_t count_line_ends(const uint8_t *bytes, size_t length)
{
    int64_t count = 0;
    for (size_t start = 0; start < length; start += UINT8_MAX) {
        size_t end = length - start < UINT8_MAX ? length : start + UINT8_MAX;
        uint8_t few = 0; /* a byte-wide counter, so the compiler can vectorise the loop */
        for (size_t at = start; at < end; at++)
            few += (bytes[at] == '\n') | ((bytes[at] == '\r') & (bytes[at + 1] != '\n'));
        count += few;
    }
    return count;
}

/* Scan `length` bytes. `is_mandatory` has `width` entries. `row_ends` and `unset_rows` have room
   for `room` entries each: the ends of rows, and the indexes (from 0) of rows that lack a value. */
void scan_block(
    const uint8_t *bytes, size_t length, size_t width, const uint8_t *is_mandatory,
    size_t longest_row, size_t room, uint32_t *row_ends, uint32_t *unset_rows, Found *found)
{
    Walk walk = {.bytes = bytes, .length = length, .chunk = SIZE_MAX};
    size_t used = 0, row_count = 0, unset_count = 0;
    while (row_count < room) {
        int lacks_value;
        size_t start = pass_blank_lines(&walk, used);
        size_t end = start < length ? pass_row(&walk, start, width, is_mandatory, &lacks_value) : start;
        if (end == start || end - start > longest_row)
            break;
        if (lacks_value)
            unset_rows[unset_count++] = (uint32_t)row_count;
        row_ends[row_count++] = (uint32_t)end;
        used = end;
    }
    found->used_bytes = (int64_t)used;
    found->row_count = (int64_t)row_count;
    found->unset_count = (int64_t)unset_count;
    found->line_count = count_line_ends(bytes, used);
}
