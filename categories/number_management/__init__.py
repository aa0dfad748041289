"""Who has which telephone number? The numbers of all accounts, and what can be done to them."""
