"""What can be done to accounts from the command line?"""
