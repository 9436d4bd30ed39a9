"""Scorers: networks by the view they are trained on, rules, and networks that others published."""
