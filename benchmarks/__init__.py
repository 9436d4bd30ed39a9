"""Measurements of speed and agreement, each a module: python -m benchmarks.<name>."""
