"""Networks that judge two loops: one file per network, what they share beside them."""
