"""Are original mixes told from unmatched ones? See protocol.py."""
