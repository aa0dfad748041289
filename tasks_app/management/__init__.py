"""Management commands, and the modules that only they use."""
