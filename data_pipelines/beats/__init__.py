"""Sides of a MashupDB → bars in beat time, beside it."""
