"""The category of telephone numbers: the numbers of all accounts, and the actions on them."""
