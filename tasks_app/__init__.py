"""Tasks, from the upload of a file to its output: creation, queue, execution, API and admin."""
