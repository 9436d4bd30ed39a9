"""What a stem is for in a mix."""

ROLES = ("vocal", "harmonic", "percussion")
