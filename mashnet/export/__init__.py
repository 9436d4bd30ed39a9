"""Bundles: what a mashup tool loads."""
