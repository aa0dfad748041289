"""The id of this installation: several may share a broker, but never each other's messages."""
