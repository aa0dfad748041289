"""Django finds the commands below; the modules here serve only them."""
