"""PostgreSQL as Piston Tasks uses it: sessions whose parameters are its own, whoever is between."""
