"""Clips of a MashupDB → loops and which of them sound together (Chen et al., ISMIR 2020)."""
