"""What stands in a checkpoint for objects of a foreign program, which are not to be made."""


class Inert:
    """Stands for an object of a foreign program; it keeps nothing and does nothing."""

    def __init__(self, *args: object) -> None:
        """Take what the object would be made of."""

    def __new__(cls, *args: object) -> "Inert":
        """Make one, whatever the object would be made of."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Forget what the object held."""
