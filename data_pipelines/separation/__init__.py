"""Recordings into stems by Demucs or Spleeter."""
