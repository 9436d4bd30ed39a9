"""Files beyond one disk: paths in stores, reading by range, a bounded cache of copies."""
