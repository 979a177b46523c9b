"""What an event package is to both sides of a subscription (RFC 6665 §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.message import Request, Response
from sipstack.usage.content import body_of_type

Merge = Callable[[Any, Any], Any]
"""The whole state, of what is known of it (None: nothing) and of a value that came; None where the two do not
fit together, and the whole has to be asked for.
"""


def _as_it_is(body: bytes) -> bytes:
    return body


@attrs.frozen(eq=False)
class EventPackage:
    """An event package: its name, and its states as plain values.

    ``content_type``: the media type of its bodies, such as "application/pidf+xml"; empty: bodies are octets
    of any kind. ``read`` makes a value of a body, and raises ParseError; ``write`` is its inverse.
    ``expires``: seconds of a subscription. ``forks``: whether several notifiers may answer one SUBSCRIBE
    (§5.4.9); otherwise the first one counts. ``merge``: where bodies may tell a part of the state.
    ``numbered``: where the bodies of a subscription are counted, the value with this number, from 0.
    """

    name: str
    content_type: str = ""
    read: Callable[[bytes], Any] = _as_it_is
    write: Callable[[Any], bytes] = _as_it_is
    expires: int = 3600
    forks: bool = False
    merge: Merge | None = None
    numbered: Callable[[Any, int], Any] | None = None

    def body_of(self, message: Request | Response) -> bytes:
        """The body of our media type, or the part of a multipart body; b"" when there is none."""
        return body_of_type(message, self.content_type) if self.content_type else message.body

    def value_of(self, message: Request | Response) -> Any:
        """The state in ``message``; None where it has no body. Raises ParseError."""
        body = self.body_of(message)
        if body:
            return self.read(body)
        if message.body:
            raise ParseError(f"a body of {message.headers.get('Content-Type')}, not {self.content_type}", 415)
        return None
