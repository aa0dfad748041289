"""How is a worker told that there is work? By messages, which may be lost, late or repeated."""
