"""One file per network and per non-learned Scorer, found by name."""
