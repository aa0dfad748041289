"""Does the crash kit check that an action calls the outside once, or again with the same key?"""

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from categories.contract import Context, Effects, Outcome, Row, RowFailed, StopTask, Succeeded
from categories.testing import Calls, assert_survives_crashes, run_action
from tests.integration.categories.testing.crash_kit.words import ROWS, Store, catching

pytestmark = pytest.mark.django_db

calls = Calls(lambda word, key=None: f"{word} was sent", lost=ConnectionError("no answer came"))


class Send(Store):
    """Send words; a lost answer is nobody's to judge."""

    effects = Effects.EXTERNAL

    def process(self, row: Row, context: Context) -> Outcome:
        if row.word == "fail":
            raise RowFailed("it failed")
        return Succeeded(said=calls(row.word, key=context.effect_key))


class SendAgain(Send):
    """Send words, as often as it takes."""

    idempotent = True


class Bank:
    """A service that pays; if it checks keys, it pays once per key."""

    def __init__(self) -> None:
        self.paid: list[str] = []
        self.keys: set[str] = set()

    def pay(self, word: str, key: str | None = None) -> None:
        """Pay, unless the key is known."""
        if key not in self.keys:
            self.paid.append(word)
        if key is not None:
            self.keys.add(key)


def survive(action: Any, **options: Any) -> int:
    return assert_survives_crashes(
        action, ROWS, **{"calls": calls, "tables": [], "seconds": None, **options}
    )


# ---- Good actions pass ---------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Send, SendAgain])
def test_an_action_that_sends_each_row_once_survives(action: Any) -> None:
    assert survive(action) > 30


def test_outside_of_the_kit_calls_are_answered_and_kept() -> None:
    calls.forget()

    ran = run_action(Send, ROWS)

    assert [call.arguments for call in calls.made] == [("a",), ("b",), ("c",), ("a",)]
    assert [call.row_number for call in calls.made] == [None] * 4
    assert ran.lines[0] == ["a", "a was sent", ""]


def test_a_world_of_the_tests_own_is_put_back_before_each_run() -> None:
    bank = Bank()
    pay = Calls(bank.pay)

    class Pay(SendAgain):
        """Pay for words."""

        def process(self, row: Row, context: Context) -> Outcome:
            pay(row.word, key=context.effect_key)
            return Succeeded()

    assert survive(Pay, calls=pay, watching=[bank]) > 30
    assert bank.paid == []


def test_an_action_that_repeats_the_same_call_with_its_key_is_right() -> None:
    class Insists(SendAgain):
        """Send words until there is an answer."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except ConnectionError:
                return super().process(row, context)

    assert survive(Insists) > 30


# ---- Planted bugs --------------------------------------------------------------------------------


def test_a_call_that_is_not_idempotent_although_it_says_so_is_noticed() -> None:
    bank = Bank()
    pay = Calls(bank.pay)

    class Pay(SendAgain):
        """Pay for words."""

        def process(self, row: Row, context: Context) -> Outcome:
            pay(row.word)
            return Succeeded()

    with catching("Pay is declared idempotent", "('a')", "row 1 does not carry", "effect_key"):
        survive(Pay, calls=pay)
    bank.paid.clear()
    with catching("Pay", "dying within row 1, after its call", "a Bank", "paid=['a', 'a',"):
        survive(Pay, calls=pay, watching=[bank])


def test_a_repetition_with_another_key_is_noticed() -> None:
    class Changes(SendAgain):
        """Send words with a key that says how often."""

        def process(self, row: Row, context: Context) -> Outcome:
            again = len([call for call in calls.made if call.arguments == (row.word,)])
            return Succeeded(said=calls(row.word, key=f"{context.effect_key}/{again}"))

    with catching("Changes", "dying within row 1, after its call", "row 1 was called with", "/1'"):
        survive(Changes)


def test_calling_again_what_may_have_happened_is_noticed() -> None:
    class Insists(Send):
        """Send words until there is an answer."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except ConnectionError:
                return super().process(row, context)

    with catching("Insists, the answer to call 1", "lost: it called again", "may have happened"):
        survive(Insists)


@pytest.mark.parametrize("parent", [Send, SendAgain])
@pytest.mark.parametrize("outcome", [RowFailed("no"), Succeeded(said="sent")])
def test_a_verdict_about_a_lost_answer_is_noticed(parent: Any, outcome: Any) -> None:
    class Judges(parent):  # type: ignore[misc]
        """Send words and hope."""

        def process(self, row: Row, context: Context) -> Any:
            try:
                return super().process(row, context)
            except ConnectionError:
                return outcome

    with catching("Judges, the answer to call 1", "lost: it said that the row", "Nobody knows"):
        survive(Judges)


def test_an_action_with_two_calls_that_lets_lost_answers_out_survives() -> None:
    class Confirms(SendAgain):
        """Send words, and confirm each."""

        def process(self, row: Row, context: Context) -> Outcome:
            super().process(row, context)
            return Succeeded(said=calls(f"confirm {row.word}", key=context.effect_key))

    assert survive(Confirms) > 40


@pytest.mark.parametrize("lost", ["first", "second"])
@pytest.mark.parametrize("outcome", [RowFailed("no"), Succeeded(said="sent"), None])
def test_a_lost_answer_that_another_call_follows_is_noticed(lost: str, outcome: Any) -> None:
    class Goes(SendAgain):
        """Send words, and confirm each whatever became of it."""

        def process(self, row: Row, context: Context) -> Any:
            verdict = Succeeded(said="sent")
            try:
                calls(row.word, key=context.effect_key)
            except ConnectionError:
                if lost == "second":
                    raise
                verdict = outcome
            try:
                calls("confirm", key=context.effect_key)
            except ConnectionError:
                if lost == "first":
                    raise
                verdict = outcome
            return verdict

    number = 1 if lost == "first" else 2
    with catching(f"Goes, the answer to call {number}", "lost: it said that the row", "sent again"):
        survive(Goes)


def test_a_verdict_after_attempts_of_its_own_is_noticed() -> None:
    class GivesUp(SendAgain):
        """Send words three times."""

        def process(self, row: Row, context: Context) -> Outcome:
            for _ in range(3):
                try:
                    return super().process(row, context)
                except ConnectionError:
                    continue
            raise RowFailed("no answer in three attempts")

    with catching("GivesUp", "all later calls for that row", "row failed: no answer in three"):
        survive(GivesUp)


@pytest.mark.parametrize(
    "error", [TimeoutError, ConnectionError, requests.Timeout, requests.ConnectionError]
)
def test_a_verdict_about_one_kind_of_lost_answer_is_noticed(error: type[Exception]) -> None:
    reach = Calls(lambda word, key: word)

    class Judges(SendAgain):
        """Send words and judge one way of not being answered."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return Succeeded(said=reach(row.word, context.effect_key))
            except error:
                raise RowFailed("no") from None

    with catching("Judges, the answer to call", "lost: it said that the row failed: no"):
        survive(Judges, calls=reach)


class Response(SimpleNamespace):
    """An answer like those of HTTP libraries."""

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise OSError(f"HTTP {self.status_code}")


def post(word: str, key: str | None = None) -> Response:
    return Response(status_code=400 if word == "b" else 200, text=f"{word} was sent")


@pytest.mark.parametrize("parent", [Send, SendAgain])
@pytest.mark.parametrize("is_refusal", [lambda status: status >= 400, lambda status: False])
def test_a_verdict_about_an_error_of_the_server_is_noticed(parent: Any, is_refusal: Any) -> None:
    posting = Calls(post)

    class Posts(parent):  # type: ignore[misc]
        """Post words."""

        def process(self, row: Row, context: Context) -> Outcome:
            response = posting(row.word, key=context.effect_key)
            if is_refusal(response.status_code):
                raise RowFailed(response.text)
            return Succeeded(said=response.text)

    with catching("Posts, the answer to call", "being HTTP status 503", "Nobody knows"):
        survive(Posts, calls=posting)


@pytest.mark.parametrize("parent", [Send, SendAgain])
def test_an_action_that_takes_only_a_refusal_for_one_survives(parent: Any) -> None:
    posting = Calls(post, unclear=[Response(status_code=200, text="")])

    class Posts(parent):  # type: ignore[misc]
        """Post words."""

        def process(self, row: Row, context: Context) -> Outcome:
            response = posting(row.word, key=context.effect_key)
            if 400 <= response.status_code < 500:
                raise RowFailed(response.text)
            response.raise_for_status()
            if not response.text:
                raise ValueError("an answer without a text")
            return Succeeded(said=response.text)

    assert survive(Posts, calls=posting) > 30


def test_a_verdict_about_an_answer_that_says_nothing_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "unclear", [""])

    with catching("SendAgain", "being '' instead, which says nothing: it said that the row succ"):
        survive(SendAgain)


@pytest.mark.parametrize("answer", ["sent", True, {"said": "a"}])
def test_an_answer_that_is_no_outcome_is_noticed(answer: Any) -> None:
    class Answers(Send):
        """Send words and say anything."""

        def process(self, row: Row, context: Context) -> Any:
            super().process(row, context)
            return answer

    with catching("row 1 it answered", "which is no outcome"):
        survive(Answers)


def test_a_row_on_which_an_action_stops_the_task_is_indeterminate() -> None:
    class Stops(Send):
        """Send words until one says stop."""

        def process(self, row: Row, context: Context) -> Outcome:
            super().process(row, context)
            raise StopTask("enough")

    ran = run_action(Stops, ROWS)

    assert ran.stopped == "enough"
    assert ran.failures == [
        "indeterminate: the action stopped the task: enough; it was not repeated"
    ]


def test_sending_earlier_rows_along_is_noticed() -> None:
    class Collects(Send):
        """Send each word with those before it."""

        def process(self, row: Row, context: Context) -> Outcome:
            words = vars(self).setdefault("words", [])
            words.append(row.word)
            return Succeeded(said=calls("".join(words), key=context.effect_key))

    with catching("Collects", "row 2", "was called with"):
        survive(Collects)


@pytest.mark.parametrize("method", ["permitted", "finish"])
def test_a_call_that_no_journal_knows_is_noticed(method: str) -> None:
    bad = type("Greets", (Send,), {"__doc__": "Greet.", method: lambda *_: calls("hello")})

    with catching(f"Greets called the outside in {method}", "again after a crash"):
        survive(bad)


def test_a_death_that_is_taken_for_a_lost_answer_is_noticed() -> None:
    class Swallows(Send):
        """Send words whatever happens."""

        def process(self, row: Row, context: Context) -> Outcome:
            try:
                return super().process(row, context)
            except:  # noqa: E722 - the planted bug
                return Succeeded()

    with catching("The worker died within row 1, before its call", "the action went on"):
        survive(Swallows)


def test_an_action_that_nobody_looks_at_shows_no_fault() -> None:
    with pytest.raises(ValueError, match=r"Nobody sees what Send does outside: let Calls\(\)"):
        survive(Send, calls=None)


def test_a_stand_in_that_is_never_called_shows_no_fault() -> None:
    with catching("Send never called what stands in for the outside"):
        survive(Send, calls=Calls())
