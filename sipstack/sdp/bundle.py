"""m-lines by name, and those that share one transport: a=mid (RFC 5888) and a=group:BUNDLE (RFC 9143).

We bundle nothing: a stream of ours that is asked for in a group gets a group of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sipstack.sdp.description import MediaDescription, SessionDescription

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")


def name_of(medium: MediaDescription) -> str | None:
    """a=mid: the name that other lines call this m-line by; None when it has none that can be written."""
    # Most calls have neither name nor group: lines are looked at, no index is made.
    name = next((line[6:].strip() for line in medium.lines if line.startswith("a=mid:")), "")
    return name if _TOKEN.fullmatch(name) else None


def offered_group(media: Iterable[MediaDescription]) -> tuple[str, ...]:
    """The a=group line of an offer of these m-lines: the first of them that has a name, alone.

    It says that we know of groups; a browser then asks for one transport in its next offer.
    """
    return _line(name for medium in media if not medium.rejected and (name := name_of(medium)))


def answered_group(offer: SessionDescription, media: Iterable[MediaDescription]) -> tuple[str, ...]:
    """The a=group line of our answer: the first m-line that we accept out of the offer's group.

    The others of the group are refused, or go on beside it (RFC 9143 §7.3). No line when the offer has no
    group, or when nothing of it is accepted under its name.
    """
    grouped: set[str] = set()
    for line in offer.lines:
        if line.startswith("a=group:BUNDLE "):
            grouped.update(line.split()[1:])
    if not grouped:
        return ()
    return _line(
        name for medium in media if not medium.rejected and (name := name_of(medium)) in grouped and name
    )


def _line(names: Iterable[str]) -> tuple[str, ...]:
    return tuple([f"a=group:BUNDLE {name}" for name in names][:1])
