"""Decisions taken at once, without a task: for user agents that answer thousands of calls a second."""

from __future__ import annotations

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.message.headers import HeaderFields
from sipstack.ua.arguments import IN_ACCEPTANCES, IN_RESPONSES, HeadersArgument, header_fields


def _fields_of_acceptance(headers: HeadersArgument) -> HeaderFields:
    return header_fields(headers, IN_ACCEPTANCES)


def _fields_of_refusal(headers: HeadersArgument) -> HeaderFields:
    return header_fields(headers, IN_RESPONSES)


@attrs.frozen
class Accept:
    """Answer 200 with this session description, which the caller has made; no media of ours is attached.

    The call then lives until the other side hangs up.
    """

    description: bytes
    headers: HeaderFields = attrs.field(default=(), converter=_fields_of_acceptance)


@attrs.frozen
class Reject:
    """Refuse with a 4xx, 5xx or 6xx."""

    status: int = 486
    reason: str | None = None
    headers: HeaderFields = attrs.field(default=(), converter=_fields_of_refusal)


@attrs.frozen(init=False)
class Redirect:
    """Send the caller to other URIs, best first, with a 3xx."""

    targets: tuple[str, ...]
    status: int

    def __init__(self, *targets: str, status: int = 302) -> None:
        if not targets:
            raise LocalProtocolError("a redirection needs a target")
        self.__attrs_init__(targets, status)

    @property
    def headers(self) -> HeaderFields:
        """The Contact fields of the response (RFC 3261 §8.1.3.4): q falls from target to target."""
        count = len(self.targets)
        return tuple(
            ("Contact", f"<{target}>;q={1 - place / count:.2f}") for place, target in enumerate(self.targets)
        )


Decision = Accept | Reject | Redirect
