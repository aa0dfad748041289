"""How does a database come to hold a million tasks, as if ten thousand accounts had made them?

Written by the database itself, with everything that tasks leave behind: files, segments, events,
counters. Each database of a comparison has the same accounts, and tasks by the same rule.
"""

from __future__ import annotations

import psycopg

ACCOUNTS = 10_000
SHARE_OF_ASKED = 5  # one task in so many is of the account that is asked, the rest of all accounts
CATEGORIES = "ARRAY['rates', 'services', 'number_management', 'number_management']"
ACTIONS = "ARRAY['import', 'blipblop', 'list', 'add']"

# {n} is a number from 1: task 1 is the newest one. One in twenty was never started, one stopped.
TASKS = """
INSERT INTO tasks_app_task (
    id, account_id, auth_account_id, category, action, category_version, file_name,
    status, ending, reason, node, total_count, success_count, failure_count, stored_bytes,
    created_at, started_at, ended_at, revision,
    is_permitted, wake_number, is_assembled, assembly_claim, served_at)
SELECT task_id, account_id, account_id,
    ({categories})[kind], ({actions})[kind], '1', 'Numbers of week ' || n / 20000 || '.csv',
    status, CASE status WHEN 'internal_error' THEN 'broken' WHEN 'stopped' THEN NULL
                        WHEN 'pending' THEN NULL ELSE 'completed' END,
    '', CASE status WHEN 'pending' THEN '' ELSE 'apps@host' END,
    100, CASE status WHEN 'success' THEN 100 WHEN 'partial' THEN 60 ELSE 0 END,
    CASE status WHEN 'failure' THEN 100 WHEN 'partial' THEN 40 ELSE 0 END, 6000,
    created_at, CASE WHEN status <> 'pending' THEN created_at + interval '5 s' END,
    CASE WHEN status <> 'pending' THEN created_at + interval '9 s' END, 5,
    status <> 'pending', 1, status <> 'pending', 1,
    CASE WHEN status <> 'pending' THEN created_at + interval '6 s' END
FROM made
"""
FILES = """
INSERT INTO tasks_app_taskcsv (
    key, task_id, name, size_bytes, sha256, row_count, header, header_bytes, created_at)
SELECT left(task_id, 2) || '/' || task_id || '/' || name, task_id, name, 3000,
    md5(task_id) || md5(name), 100, '["number", "account_id"]', 'number,account_id', created_at
FROM made, unnest(ARRAY['in.csv', 'out.csv', 'failed.csv']) AS name
WHERE name = 'in.csv' OR status = 'partial' OR (name = 'out.csv' AND status <> 'pending')
"""
SEGMENTS = """
INSERT INTO tasks_app_segment (
    task_id, index, start_row, end_row, end_offset, cursor_row, cursor_offset, part_count, is_done,
    claim, claimed_by, claimed_for, batch_size, idle_claims, careful_until_row, suspect_deaths)
SELECT task_id, 0, 0, 100, 3000,
    CASE WHEN status IN ('pending', 'stopped') THEN 0 ELSE 100 END, 18, 1,
    status NOT IN ('pending', 'stopped'), 1, 'host:1', '', 100, 0, 0, 0
FROM made
"""
EVENTS = """
INSERT INTO tasks_app_taskevent (
    task_id, account_id, kind, actor, request_id, old_status, new_status, detail, at)
SELECT task_id, account_id, word, 'account:' || account_id, md5(word || task_id), '', '', '{{}}',
    created_at
FROM made, unnest(ARRAY['created', 'started', 'ended']) AS word
WHERE word = 'created' OR status <> 'pending'
"""
EFFECTS = """
INSERT INTO tasks_app_effect (task_id, row_number, key, state, claim, sent_at)
SELECT task_id, 1, md5(task_id), 'done', 1, created_at FROM made WHERE kind = 2 AND n % 8 = 0
"""
MADE = """
CREATE TEMPORARY TABLE made AS
SELECT n, left(md5('task ' || n), 30) AS task_id, now() - n * interval '30 s' AS created_at,
    CASE WHEN n %% {share} = 0 THEN %(asked)s
        ELSE md5('account ' || (n * 7919::bigint) %% {accounts}) END AS account_id,
    (ARRAY['pending', 'stopped', 'failure', 'internal_error', 'partial', 'partial']
        || array_fill('success'::text, ARRAY[14]))[n / {share} %% 20 + 1] AS status,
    n / 100 %% 4 + 1 AS kind
FROM generate_series(1, %(tasks)s) AS n
"""
# Below the account that is asked: 30 resellers, 1,000 shops of theirs, and customers of those.
ACCOUNT_TREE = """
INSERT INTO accounts_account (
    id, name, parent_id, is_superadmin, is_reseller, is_enabled, created_at)
SELECT md5('account ' || n), 'Account ' || n,
    CASE WHEN n < 30 THEN %(asked)s WHEN n < 1030 THEN md5('account ' || n %% 30)
         ELSE md5('account ' || 30 + n %% 1000) END,
    false, n < 30, true, now()
FROM generate_series(0, {accounts} - 1) AS n
"""
LINKS = """
INSERT INTO accounts_accountlink (ancestor_id, descendant_id, depth)
WITH RECURSIVE link AS (
    SELECT id AS ancestor, id AS descendant, 0 AS depth FROM accounts_account
    UNION ALL
    SELECT account.parent_id, link.descendant, link.depth + 1
    FROM link JOIN accounts_account AS account ON account.id = link.ancestor
    WHERE account.parent_id IS NOT NULL
)
SELECT * FROM link ON CONFLICT DO NOTHING
"""
KEYS = """
INSERT INTO accounts_apikey (account_id, secret_hash, prefix, created_at)
SELECT id, md5(id) || md5(name), left(md5(id), 8), now() FROM accounts_account WHERE id <> %(asked)s
"""
TOKENS = """
INSERT INTO accounts_token (account_id, api_key_id, secret_hash, created_at, expires_at)
SELECT account_id, id, md5(secret_hash) || md5(prefix), now(), now() + interval '1 day'
FROM accounts_apikey WHERE account_id <> %(asked)s
"""
USAGE = """
INSERT INTO tasks_app_accountusage (account_id, task_count, stored_bytes)
SELECT account_id, count(*), sum(stored_bytes) FROM tasks_app_task GROUP BY account_id
"""
TURNS = """
INSERT INTO tasks_app_accountturn (account_id, served_at)
SELECT id, now() - interval '1 day' FROM accounts_account
"""
FILLED = ("tasks_app_task", "tasks_app_taskcsv", "tasks_app_segment", "tasks_app_taskevent")


def fill(url: str, asked: str, tasks: int) -> None:
    """Give a migrated database accounts below `asked`, and so many tasks; then look at it all.

    Indexes are built afterwards, and what belongs together is known to: that takes a third of
    the time.
    """
    values = {"asked": asked, "tasks": tasks}
    names = {"accounts": ACCOUNTS, "share": SHARE_OF_ASKED}
    names_of_kinds = {"categories": CATEGORIES, "actions": ACTIONS}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # checks no foreign key
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute(MADE.format(**names), values)
        with connection.transaction():
            rebuilt = drop_indexes(connection)
            for statement in (ACCOUNT_TREE, LINKS, KEYS, TOKENS):
                connection.execute(statement.format(**names), values)
            for statement in (TASKS, FILES, SEGMENTS, EVENTS, EFFECTS, USAGE, TURNS):
                connection.execute(statement.format(**names_of_kinds))
            for statement in rebuilt:
                connection.execute(statement)
        connection.execute("DROP TABLE made")
        connection.execute("VACUUM ANALYZE")


def drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop what only finds rows in the tables that get long; return how to make it again."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)",
        [list(FILLED)],
    ).fetchall()
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]
