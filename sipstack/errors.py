"""The exceptions of sipstack.

SipError                       .transient: whether trying again later may help
├── ParseError(ValueError)     not SIP, SDP or RTP; .status is the response to give
├── LocalProtocolError         asked for what this state does not allow: a bug in the caller
├── RemoteProtocolError        the peer broke a rule; .status
├── TransportError
│   ├── ResolutionError        no address for the host
│   └── FlowClosed             the connection is gone
├── TransactionTimeout         no answer in 64*T1; stands for 408
├── InternalError              an exception inside the stack; stands for 500
├── RequestFailed              .response .status .reason
│   ├── CallRejected
│   ├── RegistrationRejected
│   ├── SubscriptionRejected
│   ├── PublicationRejected
│   ├── TransferFailed
│   └── AuthenticationFailed   our credentials were refused, or we have none
├── NegotiationError           no common codec; stands for 488
├── MediaError                 a file or device cannot be read or written
└── CallEnded                  .by ("local", "remote", "timeout", "transport" and others) .reason
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class FieldsOfResponse(Protocol):
    """The header fields of a response: ``sipstack.message.Headers`` has them."""

    def get(self, name: str) -> str | None:
        """The first value of the field as text."""

    def raw(self, name: str) -> tuple[str, ...]:
        """All values of the field as text, one for each line."""

    def typed(self, name: str) -> Any:
        """The value of the field by its grammar. Raises ParseError."""

    def readable(self, name: str) -> Any:
        """The same without what cannot be read."""


class FinalResponse(Protocol):
    """A response as its exception knows it: ``sipstack.message.Response`` is one."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def reason(self) -> str:
        """The reason phrase."""

    @property
    def headers(self) -> FieldsOfResponse:
        """The header fields."""

    @property
    def contacts(self) -> Sequence[Any]:
        """The addresses of Contact: after a 3xx, where to try next. Raises ParseError."""

    @property
    def body(self) -> bytes:
        """The body."""


TRANSIENT_STATUSES = frozenset({408, 480, 500, 502, 503, 504})
"""Refusals that blame the server or the moment, not the request (RFC 3261 §21.4, §21.5). Not 501, 505 and
513: the server will not learn what it cannot do by our waiting."""


def printable(text: str) -> str:
    """``text`` with its control characters escaped: a peer's words reach terminals and logs."""
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() else ascii(each)[1:-1] for each in text])


class SipError(Exception):
    """Base of all errors that sipstack raises. ``str()`` is ``printable``; attributes are as they came."""

    def __str__(self) -> str:
        return printable(super().__str__())

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed when it is sent again later."""
        return False


class ParseError(SipError, ValueError):
    """The text or octets break the grammar. ``status`` is the response a UAS gives."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class LocalProtocolError(SipError):
    """The caller asked for something that the state does not allow."""


class RemoteProtocolError(SipError):
    """The peer broke a rule of the protocol. ``status`` is the response a UAS gives."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class TransportError(SipError):
    """The message could not be sent, or the network reported that it did not arrive."""

    @property
    def transient(self) -> bool:
        return True


class ResolutionError(TransportError):
    """The host name has no usable address."""


class FlowClosed(TransportError):
    """The flow that carried the exchange is closed."""


class TransactionTimeout(SipError):
    """No response came in 64*T1 (RFC 3261 §17.1.1.2, §17.1.2.2); equals a 408."""

    status = 408

    @property
    def transient(self) -> bool:
        return True


class InternalError(SipError):
    """An exception inside the stack, which is a fault of ours: ``__cause__``. What it happened in is over."""

    status = 500


class RequestFailed(SipError):
    """A final response other than 2xx. ``response`` is the message itself."""

    def __init__(self, response: FinalResponse) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.response = response
        self.status = response.status
        self.reason = response.reason

    @property
    def transient(self) -> bool:
        return self.status in TRANSIENT_STATUSES


class CallRejected(RequestFailed):
    """The call was refused: 3xx not followed, 4xx, 5xx or 6xx."""


class RegistrationRejected(RequestFailed):
    """The registrar refused the binding, or answered 2xx and has none of ours."""

    @property
    def transient(self) -> bool:
        return self.status < 300 or super().transient


class SubscriptionRejected(RequestFailed):
    """The SUBSCRIBE was refused, the first or a refresh."""


class PublicationRejected(RequestFailed):
    """The PUBLISH was refused."""


class TransferFailed(RequestFailed):
    """The other side does not call whom we refer it to, or was refused there. ``refused``: the REFER itself
    was; else the status is that of the other side's call, of which it has told by NOTIFY.
    """

    def __init__(self, response: FinalResponse, *, refused: bool = False) -> None:
        super().__init__(response)
        self.refused = refused

    def __str__(self) -> str:
        what = "the transfer was refused" if self.refused else "the transfer came to nothing"
        return f"{what}: {super().__str__()}"


class AuthenticationFailed(RequestFailed):
    """The peer asks for credentials that we do not have, or refused those that we gave.

    ``realm``: who asks, in its own words; empty when it does not say. ``username``: whose password it
    refused; None when it was given none. ``withheld``: whether we have some, which the account keeps from
    that host.
    """

    def __init__(
        self, response: FinalResponse, username: str | None = None, *, withheld: bool = False
    ) -> None:
        super().__init__(response)
        self.realm = _realm(response.headers)
        self.username = username
        self.withheld = withheld

    def __str__(self) -> str:
        realm = f" by the realm {printable(self.realm)!r}" if self.realm else ""
        if self.username is not None:
            return f"{super().__str__()}: the password of {self.username!r} was refused{realm}"
        if self.withheld:
            advice = "the account gives none to this host: name it in credentials_to"
            return f"{super().__str__()}: credentials are wanted{realm}; {advice}"
        return f"{super().__str__()}: credentials are wanted{realm}" if realm else super().__str__()


def _realm(headers: FieldsOfResponse) -> str:
    challenges = (*headers.readable("WWW-Authenticate"), *headers.readable("Proxy-Authenticate"))
    wanted = [each for each in challenges if each.is_digest] or challenges
    return wanted[0].realm if wanted else ""


class NegotiationError(SipError):
    """Offer and capabilities have no session in common (RFC 3264); equals a 488."""

    status = 488


class MediaError(SipError):
    """An audio file or device cannot be opened, read or written."""


class StoreError(SipError):
    """Sessions cannot be kept: the store cannot be opened, or does not answer."""


class CallEnded(SipError):
    """The call is over. ``reason`` is its text, or empty; ``by`` names the side or cause that ended it:

    - "local", "remote": we, or the other side.
    - "timeout": the other side did not answer, or its media is silent.
    - "transport": there was no way to it.
    - "session timer": nobody has refreshed it (RFC 4028).
    - "expired": it was idle for too long, or too old: see ``Expiry``.
    - "elsewhere": another process goes on with it: the other side has heard nothing of an end.
    """

    def __init__(self, by: str, reason: str = "") -> None:
        super().__init__(f"call ended by {by}" + (f": {reason}" if reason else ""))
        self.by = by
        self.reason = reason
