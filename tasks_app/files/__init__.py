"""Which files does a task have, and where do they live?"""
