"""Which way does a file take through an action? The app of tasks."""
