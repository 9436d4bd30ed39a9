"""Metrics, statistics, protocols, figures and the report."""
