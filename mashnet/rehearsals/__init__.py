"""A rehearsal of training and scoring on a GPU that is not there."""
