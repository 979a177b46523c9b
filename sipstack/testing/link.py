"""A network path, and its faults: loss, delay, duplicates, reordering."""

from __future__ import annotations

import random

import attrs

_probability = attrs.validators.and_(attrs.validators.ge(0.0), attrs.validators.le(1.0))
_seconds = attrs.validators.ge(0.0)


@attrs.frozen
class Link:
    """One direction of a path. Times are in seconds, the others are probabilities from 0 to 1.

    ``jitter`` is the most that is added to ``delay``: each datagram draws from [0, jitter), so that datagrams
    sent within ``jitter`` of one another may overtake. A reordered datagram is held back for ``hold`` more.
    Each copy of a duplicated datagram draws its own jitter and hold.
    """

    delay: float = attrs.field(default=0.0, validator=_seconds)
    jitter: float = attrs.field(default=0.0, validator=_seconds)
    loss: float = attrs.field(default=0.0, validator=_probability)
    duplicate: float = attrs.field(default=0.0, validator=_probability)
    reorder: float = attrs.field(default=0.0, validator=_probability)
    hold: float = attrs.field(default=0.1, validator=_seconds)

    def carry(self, source: random.Random) -> list[float]:
        """The seconds that each copy of one datagram is under way; an empty list means that it is lost.

        Takes the same count of numbers from ``source`` whatever happens, so that changing one figure of a
        link changes nothing else in a run.
        """
        lost = source.random() < self.loss
        doubled = source.random() < self.duplicate
        first, second = self._transit(source), self._transit(source)
        if lost:
            return []
        return [first, second] if doubled else [first]

    def _transit(self, source: random.Random) -> float:
        transit = self.delay + self.jitter * source.random()
        held = source.random() < self.reorder
        return transit + self.hold if held else transit


PERFECT = Link()
