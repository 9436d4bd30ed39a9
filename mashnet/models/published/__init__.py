"""Networks whose weights others published, and how their files are read."""
