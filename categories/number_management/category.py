"""The declaration of the category `number_management`."""

from categories.columns import ChoiceColumn
from categories.contract import Category, PeriodicJob, Setting
from categories.number_management.actions.add import Add
from categories.number_management.actions.delete import Delete
from categories.number_management.actions.dump import DUMPS
from categories.number_management.actions.find import Find
from categories.number_management.actions.import_numbers import ImportNumbers
from categories.number_management.actions.listing import List, ListAll
from categories.number_management.actions.moving import AssignTo, Release, Reserve
from categories.number_management.actions.updating import UpdateMerge, UpdateOverwrite
from categories.number_management.expiring import expire_numbers
from categories.number_management.states import NumberState


class NumberManagement(Category):
    """Create, find, list, move and change the telephone numbers of accounts."""

    name = "number_management"
    version = "2"
    continues = ("1",)  # it had six of these actions, with the same columns
    actions = (
        Add, ImportNumbers, List, ListAll, Find, Delete, AssignTo, Reserve, Release, UpdateMerge,
        UpdateOverwrite, *DUMPS,
    )  # fmt: skip
    settings = {
        "released_state": Setting(
            ChoiceColumn(
                "State of released numbers, but for those of knm_local and knm_mdn: they are"
                " `deleted`. Numbers that age become available after 90 days.",
                choices=[NumberState.AVAILABLE, NumberState.AGING, NumberState.RELEASED],
            ),
            default=NumberState.AVAILABLE,
        )
    }
    periodic = (
        PeriodicJob(
            name="expire_numbers",
            every="day",
            run=expire_numbers,
            description="Removes deleted numbers and those in discovery for a day; after 90 days,"
            " makes aging ones available.",
        ),
    )
