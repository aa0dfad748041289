"""The account tree, API keys and tokens: who owns what, and who may act on which account."""
