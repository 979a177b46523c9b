"""What a store of sessions answers, between the pure core and the shells."""

from __future__ import annotations

from enum import Enum, auto


class Outcome(Enum):
    """What became of something that was to be kept or forgotten."""

    DONE = auto()
    CONFLICT = auto()  # another process has taken the session over: it is not ours any more
    FAILED = auto()  # nobody knows: the store does not answer, or cannot


class Absent(Enum):
    """Why nothing was loaded."""

    UNKNOWN = auto()  # there is no such session, or it is over
    FAILED = auto()  # nobody knows: the store does not answer, or cannot
