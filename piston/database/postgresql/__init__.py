"""PostgreSQL as Piston Tasks uses it: sessions whose time-outs are its own, whoever is between."""
