"""How are CSV files scanned, read and written? Nothing here knows of Django, HTTP or storage."""
