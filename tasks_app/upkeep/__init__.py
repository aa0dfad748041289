"""What is put right, removed or forgotten by itself?"""
