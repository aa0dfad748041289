"""What can be done to categories from the command line?"""
