"""Answers what a call to a number costs, with the action `rates rate` on one row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request

from categories import registry
from categories.contract import Context, Refused, RowFailed
from categories.contract.rows import OutputShape, RowShape
from piston.accounts.errors import NotPermitted
from piston.accounts.models import Account
from piston.http.envelope import Enveloped, hash_revision
from piston.http.errors import BadIdentifier, FaultyRequest
from piston.http.views import Endpoint

NO_TASK = ""


class RateOfNumber(Endpoint):
    """`…/rates/{NUMBER}`: the rate of a number, in a ratedeck of the account."""

    actor: Account

    def get(self, request: Request, number: str, **_: str) -> Enveloped:
        """Answer with the columns of the action; its other input columns may be in the query."""
        cells = {**request.query_params.dict(), "number": f"+{number.removeprefix('+')}"}
        rate = rate_number(cells, self.account, self.actor)
        return Enveloped(rate, revision=hash_revision(rate))


def rate_number(cells: Mapping[str, str], account: Account, actor: Account) -> dict[str, Any]:
    """Return the row's output by column.

    Raises FaultyRequest for a bad cell, NotPermitted, and BadIdentifier for a number without rate.
    """
    if any("\0" in text for text in cells.values()):
        raise FaultyRequest("a query may not hold NUL characters")  # PostgreSQL stores none
    _, action = registry.get_action("rates", "rate", for_new_task=True)
    context = Context(account_id=account.pk, auth_account_id=actor.pk, task_id=NO_TASK)
    (row,) = RowShape(action, list(cells)).parse_batch([list(cells.values())], 1)
    if isinstance(row, RowFailed):
        raise FaultyRequest(row.message)
    worker: Any = action()
    try:
        worker.permitted(context)
    except Refused as refused:
        raise NotPermitted from refused
    (outcome,) = worker.process_batch([row], context)
    if isinstance(outcome, RowFailed):
        raise BadIdentifier(cells["number"], outcome.message)
    output = OutputShape(action)
    texts = output.succeeded_cells(*outcome.rows)
    return {"number": cells["number"], **dict(zip(output.header[:-1], texts, strict=False))}
