"""Candidates that come after their description: ``application/trickle-ice-sdpfrag`` (RFC 8840 §9)."""

from __future__ import annotations

import attrs

from sipstack.errors import ParseError
from sipstack.sdp.bundle import name_of
from sipstack.sdp.ice import IceDescription
from sipstack.sdp.parser import parse

SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

_HEAD = b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n"


@attrs.frozen
class IceFragment:
    """What one m-line of a fragment says. ``name`` is its a=mid.

    ``ice`` has the candidates that have come, and the credentials of the description that they belong to.
    Its ``more`` is false when they are the last.
    """

    name: str | None
    ice: IceDescription


def read_fragment(body: bytes) -> tuple[IceFragment, ...]:
    """The m-lines of a body of INFO. Raises ParseError (status 400) and nothing else."""
    fragment = parse(_HEAD + body)
    found = []
    for medium in fragment.media:
        ice = IceDescription.of(fragment, medium)
        if ice is None:
            raise ParseError("candidates without the credentials of their description (a=ice-ufrag)")
        ended = [part.attribute("end-of-candidates") is not None for part in (fragment, medium)]
        found.append(IceFragment(name_of(medium), attrs.evolve(ice, more=not any(ended))))
    if not found:
        raise ParseError("a fragment of SDP without an m-line")
    return tuple(found)
