"""The errors that categories raise on purpose; each docstring is the default message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class CategoryError(Exception):
    """Something is wrong with a category."""

    code = "category_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class CellError(ValueError):
    """The cell breaks the rule of its column."""

    code = "bad_cell"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class BrokenDeclaration(CategoryError):
    """A category, action or column is declared wrongly."""

    code = "broken_declaration"

    def __init__(self, subject: str, problems: Sequence[str], file: str, line: int) -> None:
        self.subject = subject
        self.problems = list(problems)
        self.file = file
        self.line = line
        said = "; ".join(problems)
        super().__init__(f"{file}:{line}: {subject}: {said}{'' if said.endswith('?') else '.'}")


class BadSetting(CategoryError):
    """A setting of a category is missing or wrong in this process."""

    code = "bad_setting"


class UndeclaredOutput(CategoryError):
    """An action returned a cell for a column that is not in its output."""

    code = "undeclared_output"

    def __init__(self, action: str, names: Iterable[str]) -> None:
        self.names = sorted(names)
        super().__init__(f"{action} returned cells that its output does not declare: {self.names}.")


class UnknownCategory(CategoryError):
    """No category has this name."""

    code = "unknown_category"

    def __init__(self, name: str, known: Iterable[str], why: str = "") -> None:
        self.name = name
        self.known = sorted(known)
        sentence = why or f"There is no category {name!r}."
        super().__init__(f"{sentence} Known: {', '.join(self.known) or 'none'}.")


class DisabledCategory(UnknownCategory):
    """The category takes no new tasks."""

    code = "disabled_category"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(name, known, f"The category {name!r} is disabled: it takes no new tasks.")


class BrokenCategory(UnknownCategory):
    """The category is registered but cannot be used."""

    code = "broken_category"

    def __init__(self, name: str, known: Iterable[str], problem: str) -> None:
        self.problem = problem
        super().__init__(name, known, f"The category {name!r} cannot be used: {problem}")


class UnknownAction(CategoryError):
    """The category has no action of this name."""

    code = "unknown_action"

    def __init__(self, category: str, name: str, known: Iterable[str]) -> None:
        self.category = category
        self.name = name
        self.known = sorted(known)
        super().__init__(
            f"The category {category!r} has no action {name!r}. Known: {', '.join(self.known)}."
        )


class RegistrationRefused(CategoryError):
    """The category cannot be registered."""

    code = "registration_refused"


class NotEverywhere(CategoryError):
    """The change is recorded, but a running process has not followed."""

    code = "not_everywhere"


class ActionWaits(CategoryError):
    """The action needs what the database does not have, or does not allow.

    It is not a row's fault. The message is for staff. `row_is_lost` means that a row was sent to
    the outside nevertheless and is now `indeterminate`; the next row would be too.
    """

    code = "action_waits"

    def __init__(self, message: str, *, row_is_lost: bool = False) -> None:
        super().__init__(message)
        self.row_is_lost = row_is_lost


class RowTimedOut(CategoryError):
    """The row took longer than its action allows."""

    code = "row_timed_out"

    def __init__(self, message: str | None = None, *, was_querying: bool = False) -> None:
        super().__init__(message)
        self.was_querying = was_querying  # it was waiting for an answer of the database
