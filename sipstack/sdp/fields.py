"""The values of the typed lines: o= c= m= b= t= a= (RFC 8866 §5).

Each ``parse`` takes the text after the equals sign, and raises ParseError; ``str()`` is its inverse, in the
grammar's own spelling: what was read can be written. ``str()`` raises LocalProtocolError for a value that
would break out of its field.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

import attrs

from sipstack.errors import ParseError
from sipstack.sdp.grammar import concealed, decimal, joined, shortened

MAX_NUMBER = 10**20 - 1
MAX_PORT = 65535


class Direction(Enum):
    """Which way media flows, seen from the side whose description it is (RFC 3264 §5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    def answering(self, offered: Direction) -> Direction:
        """The direction that this wish becomes against the other side's ``offered`` (RFC 3264 §6.1): we
        send where the other side receives, and receive where it sends."""
        return _ANSWERS[self, offered]


_ANSWERS = {
    (wish, offered): Direction.of(
        sends=wish.sends and offered.receives, receives=wish.receives and offered.sends
    )
    for wish in Direction
    for offered in Direction
}


@lru_cache(maxsize=256)  # asked several times for each description
def _family(network_type: str, address_type: str, address: str) -> str | None:
    address_type = address_type.upper()
    if network_type.upper() != "IN" or address_type not in ("IP4", "IP6"):
        return None
    figures = ":" in address or address.replace(".", "").isdigit()
    return _address_type(address) if figures else address_type


def _address_type(address: str) -> str:
    return "IP6" if ":" in address else "IP4"


@attrs.frozen
class Origin:
    """o=: the maker of the session, and the version of this description."""

    username: str
    session_id: int
    session_version: int
    address: str
    address_type: str = attrs.Factory(lambda self: _address_type(self.address), takes_self=True)
    network_type: str = "IN"

    @classmethod
    def parse(cls, text: str) -> Origin:
        fields = text.split()
        if len(fields) != 6:
            raise ParseError(f"o= needs six fields: {shortened(text)}")
        username, session_id, session_version, network_type, address_type, address = fields
        number = decimal(session_id, MAX_NUMBER)
        version = decimal(session_version, MAX_NUMBER)
        if number is None or version is None:
            raise ParseError(f"o= has a session id or version that is no number: {shortened(text)}")
        return cls(username, number, version, address, address_type, network_type)

    def __str__(self) -> str:
        numbers = str(self.session_id), str(self.session_version)
        return joined(self.username, *numbers, self.network_type, self.address_type, self.address)


@attrs.frozen
class Connection:
    """c=: the address that media goes to. ``address`` may be a host name; ``ttl`` is IPv4 multicast's."""

    address: str
    ttl: int | None = None
    count: int = 1
    address_type: str = attrs.Factory(lambda self: _address_type(self.address), takes_self=True)
    network_type: str = "IN"

    @classmethod
    def parse(cls, text: str) -> Connection:
        fields = text.split()
        if len(fields) != 3:
            raise ParseError(f"c= needs three fields: {shortened(text)}")
        network_type, address_type, base = fields
        if "/" not in base:
            return cls(base, None, 1, address_type, network_type)
        address, *suffixes = base.split("/")
        numbers = [decimal(suffix, 65535) for suffix in suffixes]
        ttl = numbers.pop(0) if address_type == "IP4" else None
        count = numbers.pop(0) if numbers else 1
        if not address or numbers or count is None or (address_type == "IP4" and ttl is None):
            raise ParseError(f"c= has a bad address: {shortened(text)}")
        return cls(address, ttl, count, address_type, network_type)

    def __str__(self) -> str:
        base = self.address
        if self.ttl is not None:
            base += f"/{self.ttl}"
        if self.count != 1:
            base += f"/{self.count}"
        return joined(self.network_type, self.address_type, base)

    @property
    def family(self) -> str | None:
        """``IP4`` or ``IP6``; None in other networks than the Internet, and for other types of address.

        An address in figures is what it looks like, whatever type is written before it.
        """
        return _family(self.network_type, self.address_type, self.address)

    @property
    def nowhere(self) -> bool:
        """True for the addresses that stand for "send me nothing": 0.0.0.0 (RFC 3264 §8.4), and its IPv6
        kin ``::`` and a name under ``.invalid`` (RFC 6157)."""
        address = self.address
        return address in ("0.0.0.0", "::") or (
            not address[-1:].isdigit() and address.lower().rstrip(".").endswith(".invalid")
        )

    @property
    def multicast(self) -> bool:
        if ":" in self.address:
            return self.address[:2].lower() == "ff"
        first = decimal(self.address.partition(".")[0], 255)
        return first is not None and 224 <= first <= 239


@attrs.frozen
class MediaLine:
    """m=: the kind of media, its port (0 = rejected or removed), protocol and formats."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> MediaLine:
        fields = text.split()
        # The grammar wants at least one format; devices that reject a stream sometimes write none.
        if len(fields) < 3:
            raise ParseError(f"m= needs a kind, a port, a protocol and formats: {shortened(text)}")
        kind, port_text, protocol, *formats = fields
        port_text, slash, count_text = port_text.partition("/")
        port = decimal(port_text, MAX_PORT)
        count = decimal(count_text, MAX_PORT) if slash else 1
        if port is None or not count:
            raise ParseError(f"m= has a bad port: {shortened(text)}")
        return cls(kind, port, protocol, tuple(formats), count)

    def __str__(self) -> str:
        port = f"{self.port}/{self.count}" if self.count != 1 else str(self.port)
        return joined(self.kind, port, self.protocol, *self.formats)


@attrs.frozen
class Bandwidth:
    """b=: for example ``AS:64`` (kilobits a second) or ``TIAS:64000`` (bits a second)."""

    type: str
    value: int

    @classmethod
    def parse(cls, text: str) -> Bandwidth:
        kind, _, value_text = text.strip().partition(":")
        value = decimal(value_text, MAX_NUMBER)
        if value is None or kind.split() != [kind]:
            raise ParseError(f"b= is not type:number: {shortened(text)}")
        return cls(kind, value)

    def __str__(self) -> str:
        return joined(f"{self.type}:{self.value}")


@attrs.frozen
class Timing:
    """t=: start and stop in NTP seconds; 0 0 is a session without bounds, as SIP uses it."""

    start: int
    stop: int

    @classmethod
    def parse(cls, text: str) -> Timing:
        numbers = [decimal(field, MAX_NUMBER) for field in text.split()]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            raise ParseError(f"t= needs two numbers: {shortened(text)}")
        return cls(numbers[0], numbers[1])

    def __str__(self) -> str:
        return f"{self.start} {self.stop}"


@attrs.frozen
class Attribute:
    """a=: ``value`` is None for a property attribute such as ``a=rtcp-mux``."""

    name: str
    value: str | None = attrs.field(default=None, repr=lambda value: repr(value and concealed(value)))

    @classmethod
    def parse(cls, text: str) -> Attribute:
        name, colon, value = text.partition(":")
        name = name.strip()
        if name.split() != [name]:
            raise ParseError(f"a= has no name: {shortened(text)}")
        return cls(name, value.strip() if colon else None)

    def __str__(self) -> str:
        name = joined(self.name)
        return name if self.value is None else f"{name}:{self.value}"
