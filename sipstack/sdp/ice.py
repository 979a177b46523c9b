"""ICE in session descriptions: candidates, user name fragment and password (RFC 8839, RFC 8840)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import MAX_PORT, Attribute
from sipstack.sdp.grammar import decimal, joined, shortened
from sipstack.sdp.section import readable

MAX_CANDIDATES = 100
"""Candidates of one description that are read: RFC 8445 §6.1.2.5 checks no more pairs than these."""
MAX_PRIORITY = 2**31 - 1
MAX_COMPONENT = 256
TYPES = frozenset({"host", "srflx", "prflx", "relay"})

_ICE_CHARS = r"[A-Za-z0-9+/]"
_FOUNDATION = re.compile(rf"{_ICE_CHARS}{{1,32}}")
_UFRAG = re.compile(rf"{_ICE_CHARS}{{4,256}}")
_PASSWORD = re.compile(rf"{_ICE_CHARS}{{22,256}}")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")


@attrs.frozen
class IceCandidate:
    """a=candidate (RFC 8839 §5.1): an address where one side may receive.

    ``component`` is 1 for RTP (and RTCP, where both use one port), 2 for RTCP. ``transport`` is in lower
    case. ``address`` is an IP address, or a name: browsers hide theirs behind one under ``.local``. ``type``
    is ``host``, ``srflx``, ``prflx`` or ``relay``; another one may be written by a newer peer.
    ``extensions`` are the pairs behind it.
    """

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> IceCandidate:
        """Reads what stands behind ``candidate:``. Raises ParseError."""
        # Some write the name of the attribute twice: browsers have it in the candidate's own text.
        fields = text.strip().removeprefix("candidate:").split()
        if len(fields) < 8 or fields[6] != "typ" or len(fields) % 2:
            raise ParseError(f"not a candidate: {shortened(text)}")
        foundation, component_text, transport, priority_text, address, port_text, _, kind, *rest = fields
        component, port = decimal(component_text, MAX_COMPONENT), decimal(port_text, MAX_PORT)
        priority = decimal(priority_text, 2**32 - 1)  # the grammar's ten digits: some exceed the text's limit
        if not component or port is None or priority is None:
            raise ParseError(f"a candidate with a number out of range: {shortened(text)}")
        if not _FOUNDATION.fullmatch(foundation) or not _is_host(address):
            raise ParseError(f"a candidate with a bad foundation or address: {shortened(text)}")
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        related = dict(pairs)
        related_port = decimal(related.get("rport", ""), MAX_PORT)
        return cls(
            foundation,
            component,
            transport.lower(),
            priority,
            address,
            port,
            kind,
            related.get("raddr") if related_port is not None else None,
            related_port if "raddr" in related else None,
            tuple([pair for pair in pairs if pair[0] not in ("raddr", "rport")]),
        )

    def __str__(self) -> str:
        numbers = str(self.component), self.transport, str(self.priority)
        fields = [self.foundation, *numbers, self.address, str(self.port), "typ", self.type]
        if self.related_address is not None and self.related_port is not None:
            fields += ["raddr", self.related_address, "rport", str(self.related_port)]
        for pair in self.extensions:
            fields += pair
        return joined(*fields)


@attrs.frozen
class IceDescription:
    """What one side says of ICE for one m-line.

    ``ufrag`` and ``password`` protect the connectivity checks; new ones mean an ICE restart. ``lite``: that
    side only answers checks (RFC 8445 §2.5). ``more``: it may send further candidates later (RFC 8838).
    """

    ufrag: str
    password: str = attrs.field(repr=False)
    candidates: tuple[IceCandidate, ...] = ()
    lite: bool = False
    more: bool = False

    def __attrs_post_init__(self) -> None:
        if not _UFRAG.fullmatch(self.ufrag) or not _PASSWORD.fullmatch(self.password):
            raise LocalProtocolError("ICE needs a user fragment of 4 and a password of 22 ICE characters")

    @classmethod
    def of(cls, description: SessionDescription, medium: MediaDescription) -> IceDescription | None:
        """ICE as ``description`` has it for its m-line ``medium``; None when that side does not use it.

        A candidate that cannot be read is left out, as one that we could not reach. Raises ParseError when
        there is a user fragment or password and not both, as the grammar wants them.
        """
        ufrag = _inherited(description, medium, "ice-ufrag")
        password = _inherited(description, medium, "ice-pwd")
        if ufrag is None and password is None:
            return None
        if not _UFRAG.fullmatch(ufrag or "") or not _PASSWORD.fullmatch(password or ""):
            raise ParseError("a=ice-ufrag and a=ice-pwd are not both there, or not of ICE characters")
        options = [
            option
            for part in (description, medium)
            for value in part.attribute_values("ice-options")
            for option in value.split()
        ]
        ended = _inherited(description, medium, "end-of-candidates") is not None
        return cls(
            ufrag or "",
            password or "",
            tuple(_candidates(medium.attribute_values("candidate"))),
            lite=description.attribute("ice-lite") is not None,
            more="trickle" in options and not ended,
        )

    @property
    def credentials(self) -> tuple[str, str]:
        """Equal as long as ICE was not restarted."""
        return self.ufrag, self.password

    def attributes(self) -> tuple[Attribute, ...]:
        """The lines of the m-line. All candidates are among them, which a=end-of-candidates tells."""
        return (
            Attribute("ice-ufrag", self.ufrag),
            Attribute("ice-pwd", self.password),
            *(Attribute("candidate", str(candidate)) for candidate in self.candidates),
            Attribute("end-of-candidates"),
        )


def _inherited(description: SessionDescription, medium: MediaDescription, name: str) -> str | None:
    value = medium.attribute(name)
    return description.attribute(name) if value is None else value


def _candidates(values: Iterable[str]) -> Iterator[IceCandidate]:
    for candidate, _ in zip(readable(IceCandidate.parse, values), range(MAX_CANDIDATES), strict=False):
        yield candidate


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # What is all figures and dots is an address that is wrong, and no name.
        return bool(_HOST_NAME.fullmatch(text)) and not text.replace(".", "").isdigit()
    return True
