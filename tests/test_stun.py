"""STUN binding: the vectors of RFC 5769, and answers that are broken or lie."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack import stun
from sipstack.errors import ParseError
from sipstack.stun import Binding

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")

# RFC 5769 §2.2 and §2.3: responses with SOFTWARE, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and FINGERPRINT
IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def message(*attributes: bytes, kind: int = stun.SUCCESS, transaction: bytes = ID) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body), stun.MAGIC_COOKIE) + transaction + body


PLAIN = attribute(stun.MAPPED_ADDRESS, bytes.fromhex("00018055c0000201"))
MASKED = attribute(stun.XOR_MAPPED_ADDRESS, bytes.fromhex("0001a147e112a643"))


# --- what is read ---


def test_the_vectors_of_rfc_5769() -> None:
    assert stun.parse(IPV4) == Binding(ID, ("192.0.2.1", 32853))
    assert stun.parse(IPV6) == Binding(ID, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))


def test_a_server_of_rfc_3489_masks_nothing() -> None:
    assert stun.parse(message(PLAIN)).address == ("192.0.2.1", 32853)


def test_the_masked_address_comes_first_because_nats_rewrite_the_other() -> None:
    rewritten = attribute(stun.MAPPED_ADDRESS, bytes.fromhex("000113c40a000001"))
    assert stun.parse(message(rewritten, MASKED)).address == ("192.0.2.1", 32853)


def test_of_two_addresses_the_first_counts() -> None:
    other = attribute(stun.XOR_MAPPED_ADDRESS, bytes.fromhex("0001a147ffffffff"))
    assert stun.parse(message(MASKED, other)).address == ("192.0.2.1", 32853)


def test_an_error_has_its_code_and_reason() -> None:
    refused = message(attribute(stun.ERROR_CODE, b"\0\0\x05\x00Server Error"), kind=stun.REFUSAL)
    assert stun.parse(refused) == Binding(ID, None, "500 Server Error")


def test_what_need_not_be_understood_is_ignored() -> None:
    assert stun.parse(message(attribute(0x802C, b"odd"), MASKED)).address == ("192.0.2.1", 32853)


# --- what is written ---


def test_a_request_is_small_and_carries_a_fingerprint() -> None:
    request = stun.request(ID)
    assert (len(request), stun.is_request(request), stun.transaction_of(request)) == (28, True, ID)
    with pytest.raises(ParseError, match="no answer"):
        stun.parse(request)


@pytest.mark.parametrize("length", [0, 11, 13])
def test_a_transaction_id_has_96_bits(length: int) -> None:
    with pytest.raises(ValueError, match="12 octets"):
        stun.request(bytes(length))


@pytest.mark.parametrize("address", [("198.51.100.9", 1), ("2001:db8::9", 65535)])
def test_a_response_is_read_as_it_was_written(address: tuple[str, int]) -> None:
    assert stun.parse(stun.response(ID, address)) == Binding(ID, address)


# --- what is broken ---

BROKEN = {
    "nothing": b"",
    "SIP": b"SIP/2.0 200 OK\r\n\r\n",
    "another cookie": IPV4[:4] + b"\0\0\0\0" + IPV4[8:],
    "cut": IPV4[:-4],
    "longer than it says": IPV4 + b"\0\0\0\0",
    "a length that is no multiple of four": message(PLAIN)[:2] + b"\0\x0b" + message(PLAIN)[4:-1],
    "one octet is another": IPV4[:50] + b"x" + IPV4[51:],
    "something behind the fingerprint": message(IPV4[-8:], MASKED),
    "no address": message(),
    "an attribute beyond the end": message(struct.pack("!HH", stun.XOR_MAPPED_ADDRESS, 64)),
    "an address of no family": message(attribute(stun.XOR_MAPPED_ADDRESS, bytes.fromhex("0003a147e112a643"))),
    "an IPv6 address of four octets": message(
        attribute(stun.XOR_MAPPED_ADDRESS, bytes.fromhex("0002a147e112a643"))
    ),
    "an address without a port": message(attribute(stun.MAPPED_ADDRESS, bytes.fromhex("00010000c0000201"))),
    "everybody's address": message(attribute(stun.MAPPED_ADDRESS, bytes.fromhex("0001138800000000"))),
    "a multicast address": message(attribute(stun.MAPPED_ADDRESS, bytes.fromhex("00011388e0000001"))),
    "an attribute that must be understood": message(MASKED, attribute(0x7FFF, b"")),
    "an indication": message(MASKED, kind=0x0011),
    "another method": message(MASKED, kind=0x0103),
    "an error without a code": message(kind=stun.REFUSAL),
    "an error of no class": message(attribute(stun.ERROR_CODE, b"\0\0\x01\x00"), kind=stun.REFUSAL),
    "far too long": message(MASKED, attribute(0x8022, bytes(4000))),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(ParseError):
        stun.parse(data)


@given(st.binary(max_size=120), st.sampled_from([stun.SUCCESS, stun.REFUSAL]))
def test_nothing_but_parse_error_comes_out(body: bytes, kind: int) -> None:
    for data in (body, message(body, kind=kind), message(body + bytes(-len(body) % 4), kind=kind)):
        try:
            stun.parse(data)
        except ParseError:
            continue


@pytest.mark.parametrize(
    "data", [b"INVITE sip:bob@example.com SIP/2.0\r\n", b"\r\n\r\n", b"\x80" * 40, b"\0" * 20]
)
def test_what_is_told_apart_from_it(data: bytes) -> None:
    assert not stun.is_stun(data)
    assert stun.is_stun(IPV4)
