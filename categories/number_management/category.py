"""The declaration of the category `number_management`."""

from categories.contract import Category
from categories.number_management.actions.add import Add
from categories.number_management.actions.delete import Delete
from categories.number_management.actions.find import Find
from categories.number_management.actions.import_numbers import ImportNumbers
from categories.number_management.actions.listing import List, ListAll


class NumberManagement(Category):
    """Create, find and list the telephone numbers of accounts."""

    name = "number_management"
    version = "1"
    actions = (Add, ImportNumbers, List, ListAll, Find, Delete)
