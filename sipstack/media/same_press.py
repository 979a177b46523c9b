"""Whether a key that came one way is a press that came another way before: peers send some of them twice."""

from __future__ import annotations

from collections import deque

import attrs

from sipstack.rtp.telephone_event import Press

WINDOW = 1.0
"""Seconds that may lie between the two ways of one press: INFO may be sent again before it comes."""
REMEMBERED = 16


@attrs.define(eq=False)
class _Heard:
    press: Press
    ways: set[str]


class SamePress:
    """Remembers the last presses. Each of another way stands for one of them, so that a key pressed twice,
    and sent both times in two ways, is told twice.
    """

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: deque[_Heard] = deque(maxlen=REMEMBERED)

    def is_known(self, press: Press, way: str, held: str | None) -> bool:
        """Whether it was told before. ``held`` is the key that RFC 4733 has down: it will tell of that."""
        if way != "rtp" and press.key == held:
            return True
        near = [each for each in self._heard if _are_near(each.press, press)]
        for each in near:
            if way not in each.ways:
                each.ways.add(way)
                return True
        # One tone may be heard as two, where the peer cuts it out of the audio behind its event.
        if way == "inband" and any("rtp" in each.ways for each in near):
            return True
        self._heard.append(_Heard(press, {way}))
        return False


def _are_near(one: Press, other: Press) -> bool:
    apart = max(one.began, other.began) - min(one.began + one.duration, other.began + other.duration)
    return one.key == other.key and apart <= WINDOW
