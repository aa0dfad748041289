"""How fast is it, against the limit? One file per question: `make bench`."""
