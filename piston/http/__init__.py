"""What does every endpoint share? Envelope, request ids, the error table, throttles."""
