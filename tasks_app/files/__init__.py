"""The files of tasks, and where they are stored."""
