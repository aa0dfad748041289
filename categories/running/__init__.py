"""How is an action run? By workers, and by tests of categories, in the same way."""
