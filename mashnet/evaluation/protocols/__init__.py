"""One file per protocol; each talks to Scorers only."""
