"""Does a noun agree with its number?"""

import pytest

from piston.plurals import plural


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_000, "1000 rows")]
)
def test_only_one_thing_is_named_in_the_singular(count: int, said: str) -> None:
    assert f"{count} {plural('row', count)}" == said
