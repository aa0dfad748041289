"""Runs actions, in workers and in tests of categories alike."""
