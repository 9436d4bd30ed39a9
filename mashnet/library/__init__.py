"""What a library sounds like to a model, and the index that is searched."""
