"""What the loop networks are fed: pairs of loops of four bars."""
