"""Fair shares of what has room for so many, whose parties need different amounts."""

from __future__ import annotations

from collections.abc import Iterable


def fair_share(sizes: Iterable[int], most: int) -> int:
    """Return how much each party may have, at least 1, so that together they have no more than `most`.

    A party that needs less than an equal share gets all of it, and leaves the rest to the others.
    """
    ascending = sorted(sizes)
    for number, size in enumerate(ascending):
        share = most // (len(ascending) - number)
        if size > share:
            return max(share, 1)
        most -= size
    return ascending[-1] if ascending else most
