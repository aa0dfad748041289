"""The category of services: what each account has at the beginning and end of each month."""
