"""Which writes need not wait for the disk? Those without which nothing goes wrong."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Expression


class NeedNotLast(Expression):
    """In an UPDATE's WHERE: True, and its commit does not wait for the disk where that is possible.

    What is written is visible to everybody at once and survives any process of ours. It is lost
    only if the database itself ends within its next instants, with no later commit: that one would
    keep it. Not for use inside a transaction, which would not wait as a whole.
    """

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Be true."""
        return "1 = 1", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Be true, and set what COMMIT looks at until then: a statement fewer each way."""
        return "set_config('synchronous_commit', 'off', true) = 'off'", ()
