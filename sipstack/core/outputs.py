"""What the endpoint asks of its driver, and the values in which it asks."""

from __future__ import annotations

import attrs

from sipstack.core.dns_records import Answer, Query
from sipstack.message import Request
from sipstack.transaction.flow import Address, Flow, uri_host
from sipstack.usage.invite.record import SessionRecord


@attrs.frozen
class Transport:
    """A transport protocol that an endpoint of ours speaks. ``name`` is as in Via: "UDP", "TLS", "WSS".
    ``families``: the types of the address records of hosts that it reaches.
    """

    name: str
    reliable: bool = False
    secure: bool = False
    default_port: int = 5060
    families: tuple[str, ...] = ("AAAA", "A")


@attrs.frozen
class Target:
    """A transport address to send to: the result of RFC 3263.

    ``domain`` is the name that the peer's certificate must prove on a secure transport; ``path`` the resource
    that a WebSocket asks for. A lower ``priority`` is tried first; between equals the order in which they
    were given counts.
    """

    transport: str
    address: Address
    domain: str = ""
    path: str = ""
    priority: int = attrs.field(default=0, eq=False)


@attrs.frozen
class Question:
    """A host name to look up. ``port`` and ``transport``: those that the URI names (``has_...``), or else
    the usual ones; ``secure``: only a secured transport will do. ``domain`` is what a peer must prove, where
    that is not ``host`` (maddr).
    """

    transport: str
    host: str
    port: int
    secure: bool = False
    has_port: bool = False
    has_transport: bool = False
    domain: str = ""


@attrs.define
class Transmit:
    """Put these octets on the flow."""

    flow: Flow
    data: bytes


@attrs.frozen
class Open:
    """Find or make the flow to this target; answer with ``flow_opened`` or ``flow_refused``."""

    target: Target


@attrs.frozen
class Close:
    """The flow is not needed any more; answer with ``flow_failed`` when it is gone."""

    flow: Flow


@attrs.frozen
class Resolve:
    """Ask the DNS; answer with ``resolved``."""

    query: Query


@attrs.define
class Report:
    """Tell whoever looks after the process of an exception that should not have been, a fault of ours."""

    error: Exception


@attrs.define
class Undelivered:
    """Tell that a message of ours, ``what``, reached nobody."""

    what: str
    error: Exception


@attrs.define
class Warn:
    """Tell something that whoever looks after the process should know."""

    text: str


DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""


def dialog_key(request: Request) -> DialogKey:
    """The dialog that a request of the peer is in (RFC 3261 §12.2.2)."""
    return request.call_id, request.to.tag or "", request.from_.tag or ""


WHOEVER = 2**31 - 1
"""An epoch that no other is above."""


@attrs.frozen(eq=False)
class Store:
    """Keep this state of a session; answer with ``stored``. ``epoch``: how often it was taken over before:
    a store that knows a higher one has another owner, and refuses.
    """

    key: DialogKey
    record: SessionRecord
    epoch: int


@attrs.frozen(eq=False)
class Forget:
    """The session is over; answer with ``stored``. Nothing of it may be loaded any more, nor stored.
    ``epoch``: as above, or ``WHOEVER`` has it: the peer has ended it.
    """

    key: DialogKey
    epoch: int


@attrs.frozen(eq=False)
class Load:
    """Take over the session of a dialog that we do not have; answer with ``loaded``. ``user``: the user part
    of the URI that its request came to, where a sealed record would be. ``epoch``: only if it is still that.
    """

    key: DialogKey
    user: str = ""
    epoch: int | None = None


@attrs.frozen
class Loaded:
    """A session that is ours from now on, under a new ``epoch``."""

    record: SessionRecord
    epoch: int


Output = Transmit | Open | Close | Resolve | Report | Undelivered | Warn | Store | Forget | Load

__all__ = [
    "Address",
    "Answer",
    "Close",
    "DialogKey",
    "Flow",
    "Forget",
    "Load",
    "Loaded",
    "Open",
    "Output",
    "Query",
    "Question",
    "Report",
    "Resolve",
    "Store",
    "Target",
    "Transmit",
    "Transport",
    "Undelivered",
    "WHOEVER",
    "Warn",
    "uri_host",
]
