"""Which songs does a Scorer pair with which? See protocol.py."""
