"""What all programs share, and the two that need more than a few lines: train and evaluate."""
