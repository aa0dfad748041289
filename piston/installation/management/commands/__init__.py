"""The commands about an installation."""
