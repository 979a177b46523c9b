"""The table of header fields: name, compact form, how many values, and the type of each.

RFC 3261 §20 and the extensions that a user agent meets. What is not in the table is kept as raw text.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from sipstack.errors import ParseError
from sipstack.message import fields
from sipstack.message.address import NameAddr
from sipstack.message.auth import AuthenticationInfo, Challenge, Credentials
from sipstack.message.contact import parse_contact
from sipstack.message.grammar import split_commas, split_readable
from sipstack.message.identity import Identity
from sipstack.message.parameterised import (
    DialogReference,
    Disposition,
    Event,
    MediaType,
    Parameterised,
    Reason,
    SessionExpires,
    SubscriptionState,
)
from sipstack.message.redirected import Diversion, HistoryEntry
from sipstack.message.session_id import SessionId
from sipstack.message.times import Date, RetryAfter, Timestamp
from sipstack.message.via import Via

Row = str | list[str]
"""One raw value, or all the values of a field that came several times (never changed after that)."""


class Rows(enum.Enum):
    """The kinds of field: how many lines it may have, and what one line holds."""

    SINGLE = "one line, one value"
    LIST = "any number of lines, each a comma separated list"
    SPARSE = "the same, and elements may be empty"
    EACH = "any number of lines, one value each"


@attrs.frozen
class Field:
    """One row of the table; ``parse`` raises ParseError, and ``str()`` is its inverse."""

    name: str
    compact: str | None
    rows: Rows
    parse: Callable[[str], object]

    def typed(self, row: Row) -> object:
        """The one value, or the tuple of values. Raises ParseError."""
        if isinstance(row, str):
            if self.rows is _S:
                return self.parse(row)
            if "," not in row and self.rows is not _E:
                return (self.parse(row),) if row or self.rows is _L else ()
            row = [row]
        if self.rows is _S:
            if row.count(row[0]) != len(row):
                raise ParseError(f"{self.name} comes more than once")
            return self.parse(row[0])
        if self.rows is not _E:
            row = [element for value in row for element in split_commas(value)]
        return tuple([self.parse(value) for value in row if value or self.rows is not _O])

    def readable(self, row: Row) -> object:
        """The same, without what cannot be read."""
        lines = [row] if isinstance(row, str) else row
        if self.rows is _S:
            return self._parse_or_none(lines[0]) if lines.count(lines[0]) == len(lines) else None
        if self.rows is not _E:
            lines = [element for line in lines for element in split_readable(line)]
        values = [self._parse_or_none(element) for element in lines]
        return tuple([value for value in values if value is not None])

    def _parse_or_none(self, text: str) -> object:
        try:
            return self.parse(text)
        except ParseError:
            return None


_S, _L, _O, _E = Rows.SINGLE, Rows.LIST, Rows.SPARSE, Rows.EACH

_TABLE = (
    # RFC 3261 §20
    Field("Accept", None, _O, MediaType.parse),
    Field("Accept-Encoding", None, _O, Parameterised.parse),
    Field("Accept-Language", None, _O, Parameterised.parse),
    Field("Alert-Info", None, _O, NameAddr.parse),
    Field("Allow", None, _O, fields.parse_token),
    Field("Authentication-Info", None, _S, AuthenticationInfo.parse),
    Field("Authorization", None, _E, Credentials.parse),
    Field("Call-ID", "i", _S, fields.parse_call_id),
    Field("Call-Info", None, _O, NameAddr.parse),
    Field("Contact", "m", _O, parse_contact),
    Field("Content-Disposition", None, _S, Disposition.parse),
    Field("Content-Encoding", "e", _L, fields.parse_token),
    Field("Content-Language", None, _L, fields.parse_token),
    Field("Content-Length", "l", _S, fields.parse_octets),
    Field("Content-Type", "c", _S, MediaType.parse),
    Field("CSeq", None, _S, fields.CSeq.parse),
    Field("Date", None, _S, Date.parse),
    Field("Error-Info", None, _O, NameAddr.parse),
    Field("Expires", None, _S, fields.parse_seconds),
    Field("From", "f", _S, NameAddr.parse),
    Field("In-Reply-To", None, _L, fields.parse_call_id),
    Field("Max-Forwards", None, _S, fields.parse_max_forwards),
    Field("MIME-Version", None, _S, fields.parse_mime_version),
    Field("Min-Expires", None, _S, fields.parse_seconds),
    Field("Organization", None, _S, str),
    Field("Priority", None, _S, fields.parse_token),
    Field("Proxy-Authenticate", None, _E, Challenge.parse),
    Field("Proxy-Authorization", None, _E, Credentials.parse),
    Field("Proxy-Require", None, _O, fields.parse_token),
    Field("Record-Route", None, _O, NameAddr.parse),
    Field("Reply-To", None, _S, NameAddr.parse),
    Field("Require", None, _O, fields.parse_token),
    Field("Retry-After", None, _S, RetryAfter.parse),
    Field("Route", None, _O, NameAddr.parse),
    Field("Server", None, _S, str),
    Field("Subject", "s", _S, str),
    Field("Supported", "k", _O, fields.parse_token),
    Field("Timestamp", None, _S, Timestamp.parse),
    Field("To", "t", _S, NameAddr.parse),
    Field("Unsupported", None, _O, fields.parse_token),
    Field("User-Agent", None, _S, str),
    Field("Via", "v", _L, Via.parse),
    Field("Warning", None, _L, fields.Warning.parse),
    Field("WWW-Authenticate", None, _E, Challenge.parse),
    # RFC 3262, reliable provisional responses
    Field("RAck", None, _S, fields.RAck.parse),
    Field("RSeq", None, _S, fields.parse_rseq),
    # RFC 3323, 3325, 3326, 3327, 3329, 3608: privacy, identity, reasons, paths, security agreement
    Field("P-Asserted-Identity", None, _O, NameAddr.parse),
    Field("P-Preferred-Identity", None, _O, NameAddr.parse),
    Field("P-Associated-URI", None, _O, NameAddr.parse),
    Field("Path", None, _O, NameAddr.parse),
    Field("Privacy", None, _S, fields.parse_privacy),
    Field("Reason", None, _L, Reason.parse),
    Field("Security-Client", None, _L, Parameterised.parse),
    Field("Security-Server", None, _L, Parameterised.parse),
    Field("Security-Verify", None, _L, Parameterised.parse),
    Field("Service-Route", None, _O, NameAddr.parse),
    # RFC 5806, 7044, 8224: who was called before, and who vouches for the caller
    Field("Diversion", None, _O, Diversion.parse),
    Field("History-Info", None, _O, HistoryEntry.parse),
    Field("Identity", "y", _E, Identity.parse),
    # RFC 3515, 3891, 3892, 3911, 4488: transfer
    Field("Join", None, _S, DialogReference.parse),
    Field("Refer-Sub", None, _S, Parameterised.parse),
    Field("Refer-To", "r", _S, NameAddr.parse),
    Field("Referred-By", "b", _S, NameAddr.parse),
    Field("Replaces", None, _S, DialogReference.parse),
    # RFC 3903, 6665: publication, subscription
    Field("Allow-Events", "u", _O, fields.parse_token),
    Field("Event", "o", _S, Event.parse),
    Field("SIP-ETag", None, _S, fields.parse_token),
    Field("SIP-If-Match", None, _S, fields.parse_token),
    Field("Subscription-State", None, _S, SubscriptionState.parse),
    # RFC 4028, 5626, 6086: session timers, outbound, INFO packages
    Field("Flow-Timer", None, _S, fields.parse_seconds),
    Field("Info-Package", None, _S, Parameterised.parse),
    Field("Min-SE", None, _S, SessionExpires.parse),
    Field("Recv-Info", None, _O, Parameterised.parse),
    Field("Session-Expires", "x", _S, SessionExpires.parse),
    # RFC 7989
    Field("Session-ID", None, _S, SessionId.parse),
)

FIELDS = {field.name: field for field in _TABLE}

# Fields whose names are known, and whose values are left as text.
_UNTYPED: dict[str, str | None] = {"Accept-Contact": "a", "Reject-Contact": "j"}
_UNTYPED |= {"Request-Disposition": "d", "Answer-Mode": None, "Priv-Answer-Mode": None}
_UNTYPED |= {"Geolocation": None, "Max-Breadth": None, "P-Access-Network-Info": None}
_UNTYPED |= {"P-Called-Party-ID": None, "P-Charging-Vector": None, "P-Early-Media": None}
_UNTYPED |= {"Remote-Party-ID": None, "Resource-Priority": None, "Target-Dialog": None, "User-to-User": None}


def _names() -> dict[str, str]:
    names = {}
    for name, compact in ({field.name: field.compact for field in _TABLE} | _UNTYPED).items():
        names.update(dict.fromkeys((name, name.lower(), name.upper(), name.title()), name))
        if compact is not None:
            names.update(dict.fromkeys((compact, compact.upper()), name))
    return names


NAMES = _names()
"""Canonical names by every usual spelling: one look-up serves almost every line of a message."""
