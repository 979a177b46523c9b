"""What of a description may be kept: no key, no password, and the sign that there were some."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipstack.sdp import DtlsDescription, IceCandidate, SessionDescription, parse
from sipstack.sdp.crypto import SUITES, usable
from sipstack.sdp.recordable import Keying, keying_of, recordable
from tests.sdp import endpoints

HEAD = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"
)
PLAIN = HEAD.replace(b"SAVP", b"AVP") + b"a=sendrecv\r\na=ptime:20\r\n"
KEY = base64.b64encode(bytes(range(30)))
LINE = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + KEY
PASSWORD = b"YH75Fviy6338Vbrhrlp8Yh"


def described(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


BROWSER = described(endpoints.BROWSER)


def test_a_description_without_secrets_stays_as_it_is() -> None:
    assert recordable(PLAIN) is PLAIN
    assert recordable(described(endpoints.ASTERISK)) == described(endpoints.ASTERISK)


def test_a_key_goes_and_its_tag_and_suite_stay() -> None:
    kept = recordable(HEAD + LINE + b"|2^20|1:4 WSH=128\r\na=sendrecv\r\n")
    assert kept == HEAD + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\r\na=sendrecv\r\n"


def test_nobody_takes_what_stays_for_a_key() -> None:
    (medium,) = parse(recordable(HEAD + LINE)).media
    assert list(usable(medium.attribute_values("crypto"))) == []


def test_the_password_of_ice_goes_with_the_candidates_and_the_certificates_stay() -> None:
    before, after = parse(BROWSER), parse(recordable(BROWSER))
    medium = after.media[0]
    assert re.search(rb"ice-pwd|candidate", recordable(BROWSER)) is None
    assert DtlsDescription.of(after, medium) == DtlsDescription.of(before, before.media[0])
    assert after.direction_of(medium) == before.direction_of(before.media[0])
    assert after.origin == before.origin
    assert list(map(codecs_of, [after])) == list(map(codecs_of, [before]))


def codecs_of(description: SessionDescription) -> list[object]:
    return [medium.codecs for medium in description.media]


SECRET = {
    "a key": LINE,
    "a key of another case": LINE.replace(b"inline", b"InLine"),
    "a key after a space": LINE.replace(b"a=crypto:", b"a= crypto : "),
    "a key after a space of Unicode": LINE.replace(b"a=", b"a=\xc2\xa0"),
    "a key without a tag": LINE.replace(b"1 AES", b"AES"),
    "a key in the place of the suite": b"a=crypto:1 " + KEY,
    "a key in the place of the tag": b"a=crypto:" + KEY,
    "a key behind another": LINE.replace(KEY, b"d/7A;inline:" + KEY),
    "a key of a suite that nobody has": LINE.replace(b"AES_CM_128_HMAC_SHA1_80", b"ROT13"),
    "a potential key": b"a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + KEY,
    "a potential key of MIKEY": b"a=acap:2 key-mgmt:mikey " + KEY,
    "MIKEY": b"a=key-mgmt:mikey " + KEY,
    "a key of old": b"k=base64:" + KEY,
    "a key of old in the clear": b"k=clear:" + KEY,
    "where a key of old is": b"k=uri:https://example.com/" + KEY,
    "a capital": LINE.replace(b"a=crypto", b"A=Crypto"),
}


@pytest.mark.parametrize("line", SECRET.values(), ids=SECRET)
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b""])
def test_no_way_of_writing_a_key_is_kept(line: bytes, end: bytes) -> None:
    kept = recordable(PLAIN + line + end)
    assert kept.startswith(PLAIN)
    assert KEY not in kept


@pytest.mark.parametrize("line", [b"a=ice-pwd:", b"a= ice-pwd : ", b"a=acap:1 ice-pwd:", b"A=ICE-PWD:"])
def test_no_way_of_writing_the_password_is_kept(line: bytes) -> None:
    assert PASSWORD not in recordable(PLAIN + line + PASSWORD + b"\r\n" + PLAIN)


def test_all_parts_lose_their_secrets() -> None:
    """Of the session and of each m-line."""
    media = HEAD[HEAD.index(b"m=") :] + LINE + b"\r\n"
    kept = recordable(HEAD[: HEAD.index(b"m=")] + b"a=ice-pwd:" + PASSWORD + b"\r\n" + media * 3)
    assert (KEY in kept, PASSWORD in kept, kept.count(b"m=audio"), kept.count(b"a=crypto")) == (
        False,
        False,
        3,
        3,
    )


lines = st.sampled_from(
    [*SECRET.values(), b"a=sendrecv", b"i=crypto", b"", b"a=ice-ufrag:abcd", b"m=audio 9 x 0"]
)
ends = st.sampled_from([b"\r\n", b"\n", b"\r"])


@given(st.lists(st.tuples(lines, ends), max_size=8).map(lambda rows: b"".join(map(b"".join, rows))))
@example(b"")
def test_once_is_enough(description: bytes) -> None:
    kept = recordable(description)
    assert recordable(kept) == kept
    assert KEY not in kept


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_octets(one: bytes, other: bytes) -> None:
    assert PASSWORD not in recordable(one + b"\na=ice-pwd:" + PASSWORD + b"\n" + other)


# --- how it was keyed ---

DTLS = HEAD + b"a=fingerprint:sha-256 " + b":".join([b"AA"] * 32) + b"\r\na=setup:active\r\n"
SDES = HEAD + LINE + b"\r\n"
KEYING = {
    "plain": (PLAIN, PLAIN, Keying.NONE),
    "keys": (SDES, SDES, Keying.SDES),
    "certificates": (DTLS, DTLS, Keying.DTLS),
    "keys that were offered and not taken": (SDES, PLAIN, Keying.NONE),
    "keys that were taken of both": (SDES + DTLS, SDES, Keying.SDES),
    "certificates that were taken of both": (SDES, DTLS + SDES, Keying.SDES),
    "certificates of a browser": (BROWSER, DTLS, Keying.DTLS),
    "none yet": (None, None, Keying.NONE),
}


@pytest.mark.parametrize(("one", "other", "keying"), KEYING.values(), ids=KEYING)
def test_how_a_session_is_keyed_is_told_by_both_descriptions(
    one: bytes | None, other: bytes | None, keying: Keying
) -> None:
    assert keying_of(one, other) is keying_of(other, one) is keying


@pytest.mark.parametrize(("one", "other", "keying"), list(KEYING.values())[:-1], ids=list(KEYING)[:-1])
def test_how_it_was_keyed_can_be_told_from_what_is_kept(one: bytes, other: bytes, keying: Keying) -> None:
    assert keying_of(recordable(one), recordable(other)) is keying


@given(
    st.sampled_from([b" ", b"\t", b"  ", b"\x0b", b"\xc2\xa0"]),
    st.sampled_from(sorted(SUITES)),
    st.sampled_from([b"", b"|2^31", b"|2^20 WSH=64"]),
)
def test_each_key_that_was_good_leaves_its_sign(space: bytes, suite: str, rest: bytes) -> None:
    key = base64.b64encode(bytes(SUITES[suite]))
    line = space.join([b"a=crypto:7", suite.encode(), b"inline:" + key + rest]) + b"\r\n"
    (medium,) = parse(HEAD + line).media
    assert len(list(usable(medium.attribute_values("crypto")))) == 1
    kept = recordable(HEAD + line)
    assert (keying_of(kept, kept), key in kept, suite.encode() in kept) == (Keying.SDES, False, True)


def test_the_candidates_of_the_browser_can_be_read_at_all() -> None:
    """Else the test above would prove nothing."""
    values = parse(BROWSER).media[0].attribute_values("candidate")
    assert [IceCandidate.parse(value).port for value in values][0] == 50411
