"""Are pairs judged, and placed, before they are moved? See protocol.py."""
