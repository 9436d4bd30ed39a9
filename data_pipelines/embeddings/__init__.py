"""Stems of a MashupDB → what a network makes of each, and an index to search them by."""
