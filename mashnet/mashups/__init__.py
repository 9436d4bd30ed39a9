"""From a library to chosen pairs: what could be made, who scores it, where scores are kept."""
