"""Protocols, and what they share: subjects, metrics, statistics, figures, the report."""
