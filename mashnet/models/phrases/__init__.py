"""Networks that judge phrases of songs before they are moved."""
