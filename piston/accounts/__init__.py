"""Who owns what, and who may act on whom? The account tree, API keys and tokens."""
