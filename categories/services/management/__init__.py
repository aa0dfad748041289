"""What can be done with services from the command line?"""
