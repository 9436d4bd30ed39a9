"""Scorers that are computed by rule and need no training."""
