"""How do the processes of the Procfile run on one machine?"""
