"""What PlaceNet is fed: phrases of bars, in beat time."""
