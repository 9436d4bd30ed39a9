"""Does an encoder hear beats? See protocol.py."""
