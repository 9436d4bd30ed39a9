"""Sound: reading and writing, stretching, spectrograms, annotation of recordings."""
