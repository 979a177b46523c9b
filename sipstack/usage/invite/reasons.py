"""Why a call ends, for the Reason field of our BYE and CANCEL (RFC 3326)."""

from __future__ import annotations

from sipstack.errors import RemoteProtocolError, SipError, TransactionTimeout, TransportError
from sipstack.message import Headers
from sipstack.message.grammar import quote
from sipstack.message.status import reason as words_of

CLEARED = Headers([("Reason", 'Q.850;cause=16;text="Normal call clearing"')])
"""Somebody hung up, or gave up."""
ELSEWHERE = Headers([("Reason", 'SIP;cause=200;text="Call completed elsewhere"')])
"""Another fork was faster (§3.1)."""
NO_ANSWER = Headers([("Reason", 'Q.850;cause=19;text="No answer from user"')])
"""It has rung long enough."""
NO_ACK = Headers([("Reason", 'SIP;cause=408;text="no ACK"')])
"""Our 2xx was not acknowledged."""

_STATUSES = {"timeout": 408, "expired": 408, "transport": 503, "remote": 400}


def because(status: int, text: str = "") -> Headers:
    """It ends as if it had been refused so."""
    return Headers([("Reason", f"SIP;cause={status};text={quote(text or words_of(status))}")])


def of_end(by: str, reason: str) -> Headers:
    """Of an end that we decide on: only that something waits in vain, or is too old, is told in our own
    words, and no business of others.
    """
    return because(_STATUSES.get(by, 500), reason if by in ("timeout", "expired") else "")


def of_error(error: SipError) -> Headers:
    """Of a dialog that is lost by ``error``, whose words are for us alone."""
    match error:
        case TransactionTimeout() | RemoteProtocolError():
            return because(error.status)
        case TransportError():
            return because(503)
        case _:
            return because(500)
