"""The waits before trying again."""

from __future__ import annotations

import attrs

from sipstack.identifiers import Identifiers


@attrs.frozen
class Backoff:
    """Doubles from ``first`` to ``longest`` seconds, each wait shortened at random by up to a half."""

    first: float = 1.0
    longest: float = 60.0

    def wait(self, failures: int, identifiers: Identifiers) -> float:
        """The seconds to wait after so many failures in a row, from 1."""
        doublings = min(failures - 1, 64)  # more are longer than any limit
        return min(self.first * 2.0**doublings, self.longest) * identifiers.uniform(0.5, 1.0)


LONGEST_PAUSE = 3600.0
"""Seconds that a Retry-After keeps us away at the most: it may be wrong, and nobody can call us meanwhile."""

NO_FLOW = Backoff(60.0, 1800.0)
"""RFC 5626 §4.5, appendix A: 30 to 60 s after the first failure, up to half an hour."""
ANOTHER_FLOW = Backoff(180.0, 1800.0)
"""The same while another flow of the registration is up."""
