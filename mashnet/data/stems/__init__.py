"""What networks of single stems are fed: a context of several stems, and a target."""
