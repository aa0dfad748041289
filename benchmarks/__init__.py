"""How fast is it, and with how much memory? One file per question: `make bench`."""
