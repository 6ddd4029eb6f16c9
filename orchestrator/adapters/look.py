"""What one check saw, for its record: filled in by the check itself, beside its assertions."""


class Look:
    """A check may see several things; each is what was expected and what was found, in few words."""

    def __init__(self) -> None:
        self._expected: list[str] = []
        self._found: list[str] = []

    def saw(self, expected: object, found: object) -> None:
        self._expected.append(str(expected))
        self._found.append(str(found))

    @property
    def expected(self) -> str:
        return "; ".join(self._expected)

    @property
    def found(self) -> str:
        return "; ".join(self._found)
