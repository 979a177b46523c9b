"""What a store of sessions answers, between the pure core and the shells."""

from __future__ import annotations

from enum import Enum, auto

import attrs


class Outcome(Enum):
    """What became of something that was to be kept or forgotten."""

    DONE = auto()
    CONFLICT = auto()  # another process has taken the session over: it is not ours any more
    FAILED = auto()  # nobody knows: the store does not answer, or cannot
    TOO_LARGE = auto()  # it cannot be kept as it is, however often it is tried


class Absent(Enum):
    """Why nothing was loaded."""

    UNKNOWN = auto()  # there is no such session, or it is over
    FAILED = auto()  # nobody knows: the store does not answer, or cannot


@attrs.frozen
class Opened:
    """What a seal of ours held. ``values``: a session without what each request of its peer tells; None where
    the call was only begun when it was sealed. ``age``: seconds since then, by the clocks of both nodes.
    """

    values: object
    age: float
