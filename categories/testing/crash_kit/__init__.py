"""Tests whether an action survives crashes; authors import it from `categories.testing`."""
