"""Reports what the running processes answered to a registration."""

from __future__ import annotations

from typing import Any

from categories.errors import NotEverywhere
from categories.registry.asking import Answer


def report(out: Any, answers: list[Answer], done: str) -> None:
    """Print an answer a line; raise NotEverywhere if one of them is a problem."""
    for answer in answers:
        if not answer.problem:
            out.write(f"  {answer.process}: {done}")
    if not answers:
        out.write("No process of web or workers is running.")
    if problems := [answer for answer in answers if answer.problem]:
        raise NotEverywhere(
            "\n".join(
                [
                    f"{len(problems)} of {len(answers)} running processes have not followed:",
                    *(f"  {answer.process}: {answer.problem}" for answer in problems),
                ]
            )
        )
