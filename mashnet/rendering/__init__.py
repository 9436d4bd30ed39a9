"""Mashups: which time of a guest song sounds at which time of the base, and the sound of it."""
