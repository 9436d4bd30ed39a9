"""Is a missing stem found among those of other songs? See protocol.py."""
