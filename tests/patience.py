"""How many random examples does a test try? As many as somebody has the patience for."""

_factor = 1


def choose(factor: int) -> None:
    """Try so many times as many; called before the tests are loaded (`--fuzz-factor`)."""
    global _factor
    _factor = factor


def many(count: int) -> int:
    """Return how many examples to try where usually it is `count`."""
    return count * _factor
