"""A synthetic band: it composes short songs, plays them, and knows their truth exactly."""
