"""What does every process ask of the database, whichever it is?"""
