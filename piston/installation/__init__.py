"""Which installation is this? Several may share a broker, but never each other's messages."""
