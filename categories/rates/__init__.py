"""What does a call cost? Ratedecks and their rates: import, export and look-up."""
