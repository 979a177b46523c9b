"""The Via header field (RFC 3261 §20.42)."""

from __future__ import annotations

import re

from sipstack.errors import ParseError
from sipstack.message.frozen import copy_text, refuse, unfrozen
from sipstack.message.grammar import HOST, TOKEN, VISIBLE, number, read_port
from sipstack.message.params import NO_PARAMETERS, Lazy, Parameters

_new = object.__new__

_PORT = r"(?::([0-9]{1,5}))?"
# The common form.
_common = re.compile(
    rf"SIP/2\.0/([A-Z]++) ({HOST}){_PORT}(;branch=({VISIBLE}++)(;rport(?:={VISIBLE}++)?)?)"
).fullmatch
_any = re.compile(
    rf"({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]++"
    rf"({HOST})(?:[ \t]*+:[ \t]*+([0-9]{{1,5}}))?[ \t]*+(;.*+)?",
    re.DOTALL,
).fullmatch


class Via(Lazy):
    """``SIP/2.0/UDP host:port;branch=…``: one hop that the request has taken.

    ``transport`` is upper case; ``host`` keeps the brackets of an IPv6 reference.
    """

    __slots__ = ("branch", "host", "port", "protocol", "transport", "wants_port")
    __setattr__ = __delattr__ = refuse
    __reduce__ = copy_text

    protocol: str
    transport: str
    host: str
    port: int | None
    branch: str | None
    """The transaction's identifier (§8.1.1.7); None from an RFC 2543 peer."""
    wants_port: bool
    """Whether the peer asks for responses at its source port: ``rport``, with or without a value."""

    def __new__(
        cls,
        transport: str,
        host: str,
        port: int | None = None,
        parameters: Parameters = NO_PARAMETERS,
        protocol: str = "SIP/2.0",
    ) -> Via:
        via = _new(_Unfrozen)
        via.protocol = protocol
        via.transport = transport
        via.host = host
        via.port = port
        via.branch = parameters.get("branch")
        via.wants_port = "rport" in parameters
        via._parameters = parameters
        via.__class__ = cls
        return via

    @classmethod
    def parse(cls, text: str) -> Via:
        """One element of the field. Raises ParseError."""
        match = _common(text)
        if match is None:
            return cls._parse_any(text.strip(" \t"))
        via = _new(_Unfrozen)
        via.protocol = "SIP/2.0"
        via.transport, via.host, port, via._parameters, via.branch, rport = match.groups()
        via.wants_port = rport is not None
        via.port = None if port is None else read_port(port)
        via.__class__ = cls
        return via

    @classmethod
    def _parse_any(cls, text: str) -> Via:
        match = _any(text)
        if match is None:
            raise ParseError(f"not a Via: {text[:80]!r}")
        name, version, transport, host, port, parameters = match.groups()
        return cls(
            transport.upper(),
            host,
            None if port is None else read_port(port),
            Parameters.parse(parameters or ""),
            f"{name.upper()}/{version}",
        )

    @property
    def received(self) -> str | None:
        """The source address that the next hop saw, without brackets (§18.2.1, RFC 5118 §4.5)."""
        received = self.parameters.get("received")
        return received.strip("[]") if received else None

    @property
    def rport(self) -> int | None:
        """The source port that the next hop saw (RFC 3581 §4); None also for an ``rport`` without value."""
        text = self.parameters.get("rport")
        return number(text, 65535, "rport") if text else None

    @property
    def sent_by(self) -> str:
        """``host`` or ``host:port`` in lower case, no default port filled in, as compared in §17.2.3."""
        host = self.host.lower()
        return host if self.port is None else f"{host}:{self.port}"

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Via) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.protocol, self.transport, self.host.lower(), self.port, self.parameters

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {self.host}{port}{self._parameters}"

    def __repr__(self) -> str:
        return f"Via.parse({str(self)!r})"


_Unfrozen = unfrozen(Via)
