"""Networks that judge a whole mix: one file per network, what they share beside them."""
