"""How do thousands of rows get into the database at once, and out of it?"""
