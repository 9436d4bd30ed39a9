"""The same function over many items: on this machine's cores, or on a Ray cluster."""
