"""Recordings into stems by Demucs."""
