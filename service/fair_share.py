"""Fair shares of what has room for so many, as the parties that use it need different amounts."""

from __future__ import annotations

from collections.abc import Iterable


def fair_share(sizes: Iterable[int], most: int) -> int:
    """Return how much each party may have, at least 1, so that together they have no more than `most`.

    Who needs less than an equal share leaves the rest to the others, and is never refused anything for their sake.
    """
    ascending = sorted(sizes)
    for number, size in enumerate(ascending):
        share = most // (len(ascending) - number)
        if size > share:
            return max(share, 1)
        most -= size
    return ascending[-1] if ascending else most
