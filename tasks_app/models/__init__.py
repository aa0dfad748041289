"""The tables of tasks, their rows and files: one model per file."""

from tasks_app.models.effect import Decision, Effect, EffectState, SettledAs
from tasks_app.models.event import EventKind, TaskEvent
from tasks_app.models.part import Part
from tasks_app.models.segment import Segment
from tasks_app.models.task import Task
from tasks_app.models.task_csv import CSVName, TaskCSV
from tasks_app.models.turn import AccountTurn, ActionPace
from tasks_app.models.usage import AccountUsage

__all__ = [
    "AccountTurn",
    "AccountUsage",
    "ActionPace",
    "CSVName",
    "Decision",
    "Effect",
    "EffectState",
    "EventKind",
    "Part",
    "Segment",
    "SettledAs",
    "Task",
    "TaskCSV",
    "TaskEvent",
]
