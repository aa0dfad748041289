"""What can be done to an installation from the command line?."""
