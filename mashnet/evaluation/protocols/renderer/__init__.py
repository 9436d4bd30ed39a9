"""Do mashups that a Scorer chooses sound better? See protocol.py."""
