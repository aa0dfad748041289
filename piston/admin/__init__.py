"""What do the admin pages of all apps share? Lists that stay fast, rows that are only read."""
