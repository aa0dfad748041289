"""What the admin pages of all apps share: lists that stay fast, and read-only rows."""
