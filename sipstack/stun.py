"""STUN for one question: which address do others see us at? A binding request and its answer (RFC 8489 §5,
§6, §14), without credentials. A pure codec: who sends, repeats and waits is elsewhere.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Iterator

import attrs

from sipstack.errors import ParseError

Address = tuple[str, int]

MAGIC_COOKIE = 0x2112A442
HEADER = struct.Struct("!HHI12s")
ATTRIBUTE = struct.Struct("!HH")
REQUEST, SUCCESS, REFUSAL = 0x0001, 0x0101, 0x0111  # the method Binding, of three classes
MAPPED_ADDRESS, ERROR_CODE, XOR_MAPPED_ADDRESS = 0x0001, 0x0009, 0x0020
SOFTWARE, FINGERPRINT = 0x8022, 0x8028
FINGERPRINT_XOR = 0x5354554E
MAY_BE_IGNORED = 0x8000
"""Attributes from here on need not be understood (§14)."""
UNDERSTOOD = frozenset(
    {
        *(MAPPED_ADDRESS, ERROR_CODE, XOR_MAPPED_ADDRESS),
        # of credentials, which we have not asked for, and of a changed server: they change no address
        *(0x0006, 0x0008, 0x000A, 0x0014, 0x0015, 0x001C),
    }
)
FAMILIES = {1: 4, 2: 16}
"""Octets of an address by its family: IPv4 and IPv6."""
LARGEST = 2048
"""Octets of an answer that are read: one has some hundred."""


@attrs.frozen
class Binding:
    """The answer to a binding request: the address that the server saw, or the error in its place."""

    transaction: bytes
    address: Address | None
    error: str = ""
    """Code and reason of an error response, such as "500 Server Error"; empty for a success."""


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN (§5). SIP begins with a letter, RTP with an octet of 128 or more."""
    return len(data) >= HEADER.size and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42"


def request(transaction: bytes) -> bytes:
    """A binding request with this transaction id: 12 octets that nobody can guess (§5)."""
    if len(transaction) != 12:
        raise ValueError("a transaction id has 12 octets")
    attributes_and_check = ATTRIBUTE.size + 4
    head = HEADER.pack(REQUEST, attributes_and_check, MAGIC_COOKIE, transaction)
    return head + ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(head)


def response(transaction: bytes, address: Address) -> bytes:
    """A success that tells ``address``: what a server sends, for tests and for those who run one."""
    host = ipaddress.ip_address(address[0])
    family = 1 if host.version == 4 else 2
    mask = _mask(transaction)
    octets = bytes(a ^ b for a, b in zip(host.packed, mask, strict=False))
    value = struct.pack("!xBH", family, address[1] ^ (MAGIC_COOKIE >> 16)) + octets
    body = ATTRIBUTE.pack(XOR_MAPPED_ADDRESS, len(value)) + value
    head = HEADER.pack(SUCCESS, len(body) + 8, MAGIC_COOKIE, transaction) + body
    return head + ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(head)


def transaction_of(data: bytes) -> bytes:
    """The transaction id of a request or answer. Raises ParseError when it is no STUN."""
    if not is_stun(data):
        raise ParseError("no STUN message")
    return bytes(data[8:20])


def is_request(data: bytes) -> bool:
    """Whether it is a binding request."""
    return is_stun(data) and data[:2] == b"\x00\x01"


def parse(data: bytes) -> Binding:
    """Read the answer to a binding request. Raises ParseError."""
    transaction = transaction_of(data)
    kind, length, _, _ = HEADER.unpack_from(data)
    if length != len(data) - HEADER.size or length % 4 or len(data) > LARGEST:
        raise ParseError("a STUN message of the wrong length")
    if kind not in (SUCCESS, REFUSAL):
        raise ParseError(f"no answer to a STUN binding request: type 0x{kind:04x}")
    found: dict[int, bytes] = {}
    unknown = []
    for number, value, offset in _attributes(data):
        if number == FINGERPRINT:
            _check(data, value, offset)
        elif number < MAY_BE_IGNORED and number not in UNDERSTOOD:
            unknown.append(number)
        found.setdefault(number, value)  # of two alike the first counts (§14)
    if unknown:  # §6.3.3, §6.3.4: it must be understood to be used
        raise ParseError(f"a STUN attribute that is not known: 0x{unknown[0]:04x}")
    if kind == REFUSAL:
        return Binding(transaction, None, _error(found.get(ERROR_CODE)))
    return Binding(transaction, _mapped(found, transaction))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Number, value and place of each attribute; those behind a FINGERPRINT do not count (§14.7)."""
    offset = HEADER.size
    while offset < len(data):
        number, length = ATTRIBUTE.unpack_from(data, offset)
        start = offset + ATTRIBUTE.size
        if start + length > len(data):
            raise ParseError("a STUN attribute goes beyond the end of its message")
        yield number, bytes(data[start : start + length]), offset
        if number == FINGERPRINT:
            return
        offset = start + (length + 3) // 4 * 4


def _fingerprint(before: bytes) -> bytes:
    return struct.pack("!I", zlib.crc32(before) ^ FINGERPRINT_XOR)


def _check(data: bytes, value: bytes, offset: int) -> None:
    if value != _fingerprint(data[:offset]) or offset + 8 != len(data):
        raise ParseError("a STUN message with a wrong FINGERPRINT")


def _mapped(found: dict[int, bytes], transaction: bytes) -> Address:
    """The address that the server saw. The one that is masked comes first: no NAT on the way rewrites it."""
    masked = found.get(XOR_MAPPED_ADDRESS)
    if masked is not None:
        return _address(masked, _mask(transaction))
    plain = found.get(MAPPED_ADDRESS)
    if plain is None:
        raise ParseError("a STUN response that names no address")
    return _address(plain, bytes(16))


def _mask(transaction: bytes) -> bytes:
    return struct.pack("!I", MAGIC_COOKIE) + transaction


def _address(value: bytes, mask: bytes) -> Address:
    if len(value) < 4 or FAMILIES.get(value[1]) != len(value) - 4:
        raise ParseError("a STUN response with an address of an unknown kind")
    port = (value[2] ^ mask[0]) << 8 | value[3] ^ mask[1]
    octets = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    host = ipaddress.ip_address(octets)
    if not port or host.is_unspecified or host.is_multicast:
        raise ParseError(f"a STUN response with an address that nobody has: {host} {port}")
    return str(host), port


def _error(value: bytes | None) -> str:
    if value is None or len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
        raise ParseError("a STUN error response without a code")
    reason = value[4:].decode("utf-8", "replace")
    return f"{(value[2] & 7) * 100 + value[3]} {reason}".rstrip()
