"""The category of rates, the prices of calls: import, export and look-up of ratedecks."""
