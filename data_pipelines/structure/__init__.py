"""The sections of all songs of a MashupDB."""
