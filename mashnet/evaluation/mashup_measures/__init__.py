"""What is measured of a finished mashup, apart from any Scorer."""
