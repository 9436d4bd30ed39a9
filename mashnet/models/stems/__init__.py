"""Networks that judge a stem beside others: one file per network, what they share beside them."""
