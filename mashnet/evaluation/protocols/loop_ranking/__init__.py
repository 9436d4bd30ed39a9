"""Does the loop that fits stand first? See protocol.py."""
