"""The roles that a stem can have in a mix."""

ROLES = ("vocal", "harmonic", "percussion")
