"""Is an original found among the mashups made to fit its vocal? See protocol.py."""
