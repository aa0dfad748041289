"""What all endpoints share: the envelope, request ids, the table of errors, throttles."""
