"""How do authors learn whether an action survives crashes? Tests only; their door is testing.py."""
