"""Background maintenance: repairs, expiry and periodic jobs."""
