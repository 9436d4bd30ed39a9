"""Pairs of loops that do not fit, one per pair that does and strategy."""
