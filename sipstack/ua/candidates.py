"""Addresses of the peer that come one by one, in INFO (RFC 8840); ours are all in our descriptions."""

from __future__ import annotations

from typing import Any

from sipstack.media.port import TrickledMedia
from sipstack.message import Request
from sipstack.sdp import SDP_FRAGMENT, read_fragment
from sipstack.usage.content import body_of_type
from sipstack.usage.info import CandidatesReceived


class Candidates:
    """Takes the candidates of all calls of a user agent."""

    def read(self, request: Request, user: Any) -> CandidatesReceived:
        """Raises ParseError."""
        return CandidatesReceived(self, user, read_fragment(body_of_type(request, SDP_FRAGMENT)))

    def _on_event(self, event: CandidatesReceived) -> None:
        media = getattr(event.user, "_media", None)
        if isinstance(media, TrickledMedia):
            media.trickled(*event.fragments)
