"""A blind listening test: a page, a small server that loses nothing, and the statistics."""
