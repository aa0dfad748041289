"""Signals of a process that serves requests or runs rows: it has started, and it ends in order."""

from django.dispatch import Signal

started = Signal()  # with `role`: web or worker; sent once in each process, after its fork
ending = Signal()
