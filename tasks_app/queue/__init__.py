"""Sends messages that tell workers about work; a message may be lost, late or repeated."""
