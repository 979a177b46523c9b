"""Decisions taken at once, without a task: for who answers thousands of calls a second."""

from __future__ import annotations

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.message.headers import HeaderFields


@attrs.frozen
class Accept:
    """Answer 200 with this session description, which the caller has made; no media of ours is attached.

    The call then lives until the other side hangs up.
    """

    description: bytes
    headers: HeaderFields = ()


@attrs.frozen
class Reject:
    """Refuse with a 4xx, 5xx or 6xx."""

    status: int = 486
    reason: str | None = None
    headers: HeaderFields = ()


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
