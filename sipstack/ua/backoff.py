"""The waits before trying again."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from sipstack.identifiers import Identifiers


@attrs.frozen
class Backoff:
    """Doubles from ``first`` to ``longest`` seconds, each wait shortened at random by up to a half."""

    first: float = 1.0
    longest: float = 60.0

    def delays(self, identifiers: Identifiers) -> Iterator[float]:
        """The waits, without end."""
        delay = self.first
        while True:
            yield delay * identifiers.uniform(0.5, 1.0)
            delay = min(2 * delay, self.longest)
