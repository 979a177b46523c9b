"""SIP as scapy packets: each field can be set, left out, spoiled or fuzzed by itself (RFC 3261 §7).

They know no rule of SIP but where a field ends, so that they can also build what no SIP library would.
"""

from __future__ import annotations

from typing import Any

from scapy.fields import PacketListField, StrField
from scapy.packet import Packet


class Until(StrField):
    """Octets up to a delimiter, which is written behind them. A ``RawVal`` is written without one."""

    __slots__ = ["delimiter"]

    def __init__(self, name: str, default: str, delimiter: bytes) -> None:
        super().__init__(name, default.encode())
        self.delimiter = delimiter

    def addfield(self, pkt: Packet | None, s: bytes, val: Any) -> bytes:
        return s + self.i2m(pkt, val) + self.delimiter

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, bytes]:
        value, _, rest = s.partition(self.delimiter)
        return rest, value


class HeaderField(Packet):
    """One header field and its line end."""

    name = "SIP header field"
    fields_desc = [Until("label", "X-Fuzz", b": "), Until("value", "", b"\r\n")]

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """The octets that follow belong to the next field."""
        return b"", s


def _next_field(
    message: Packet, fields: list[Any], current: Packet | None, rest: bytes
) -> type[Packet] | None:
    return None if rest.startswith(b"\r\n") or not rest else HeaderField


class HeaderFields(PacketListField):
    """The header fields up to the empty line, which belongs to it."""

    def __init__(self) -> None:
        super().__init__("headers", [], next_cls_cb=_next_field)

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        return super().addfield(pkt, s, val) + b"\r\n"

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, Any]:
        rest, fields = super().getfield(pkt, s)
        return rest.removeprefix(b"\r\n"), fields


class SipRequest(Packet):
    """A request."""

    name = "SIP request"
    fields_desc = [
        Until("method", "OPTIONS", b" "),
        Until("uri", "sip:fuzz@127.0.0.1", b" "),
        Until("version", "SIP/2.0", b"\r\n"),
        HeaderFields(),
        StrField("body", b""),
    ]


class SipResponse(Packet):
    """A response."""

    name = "SIP response"
    fields_desc = [
        Until("version", "SIP/2.0", b" "),
        Until("status", "200", b" "),
        Until("reason", "OK", b"\r\n"),
        HeaderFields(),
        StrField("body", b""),
    ]


def header_fields(*fields: tuple[str, object]) -> list[HeaderField]:
    """Header fields from (name, value)."""
    return [HeaderField(label=label, value=str(value)) for label, value in fields]


def lines(message: Packet) -> list[tuple[str, str]]:
    """(name, value) of each header field, as ``header_fields`` takes them."""
    return [(_text(field.label), _text(field.value)) for field in message.headers]


def values(message: Packet, label: str) -> list[str]:
    """The values of the header fields of this name."""
    return [value for name, value in lines(message) if name == label]


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
