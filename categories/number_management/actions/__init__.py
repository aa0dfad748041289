"""What can be done to a number? An action per file."""
