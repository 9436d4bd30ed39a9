"""Recipes for original, matched and unmatched mixes (Huang et al., AAAI 2021, section 3)."""
