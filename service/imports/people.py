"""Whose records a file holds: a file that is imported for a user is of one person."""

from __future__ import annotations


class OnePerson:
    """The person that a file names first; another one in it is a mistake, since all of it goes to one user."""

    def __init__(self) -> None:
        self.name: str | None = None

    def refuse(self, name: object) -> str | None:
        """Return what is wrong with a record of that person, None where nothing is; a record may name none."""
        if not isinstance(name, str) or not name:
            return None
        if self.name is None:
            self.name = name
        if name == self.name:
            return None
        return f"is of another person than the first record of the file, which is of {self.name[:100]}"
