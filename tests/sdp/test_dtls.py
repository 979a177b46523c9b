"""DTLS-SRTP in session descriptions: fingerprints (RFC 8122) and roles (RFC 4145, RFC 5763, RFC 8842)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import NegotiationError, ParseError
from sipstack.sdp import DtlsDescription, Fingerprint, Setup, answered_role, answering_role, parse
from sipstack.sdp.dtls import DIGEST_OCTETS, MAX_FINGERPRINTS

SHA1 = "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
SHA256 = "sha-256 " + ":".join(["0a"] * 32)
ACTPASS, ACTIVE, PASSIVE, HOLDCONN = Setup.ACTPASS, Setup.ACTIVE, Setup.PASSIVE, Setup.HOLDCONN


def dtls(*lines: str, session: tuple[str, ...] = ()) -> DtlsDescription | None:
    head = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", *session)
    parsed = parse("\r\n".join((*head, "m=audio 9 UDP/TLS/RTP/SAVP 0", *lines, "")).encode())
    return DtlsDescription.of(parsed, parsed.media[0])


# Fingerprints


def test_the_fingerprint_of_rfc_8122() -> None:
    found = Fingerprint.parse(SHA1)
    assert (found.algorithm, found.value) == ("sha-1", SHA1.partition(" ")[2])


def test_letters_have_no_case() -> None:
    """Asterisk writes ``SHA-256``."""
    assert Fingerprint.parse(SHA256.upper()) == Fingerprint.parse(SHA256)


@pytest.mark.parametrize("algorithm", DIGEST_OCTETS)
def test_a_hash_is_as_long_as_its_function_makes_it(algorithm: str) -> None:
    right = ":".join(["AB"] * DIGEST_OCTETS[algorithm])
    assert Fingerprint.parse(f"{algorithm} {right}").value == right
    for wrong in (right + ":AB", right[:-3]):
        with pytest.raises(ParseError):
            Fingerprint.parse(f"{algorithm} {wrong}")


def test_a_function_that_is_new_is_no_mistake() -> None:
    assert Fingerprint.parse("sha3-256 AB:CD").algorithm == "sha3-256"


@pytest.mark.parametrize(
    "text",
    ["", "sha-256", "sha-256 ", "sha-256 ABCD", "sha-256 AB:", "x AB:CG", "sh a AB:CD", "x " + "AB:" * 200],
)
def test_not_a_fingerprint(text: str) -> None:
    with pytest.raises(ParseError):
        Fingerprint.parse(text)


@given(st.text(max_size=120) | st.sampled_from([SHA1, SHA256]).flatmap(lambda text: st.just(text[:-1])))
def test_any_text_is_a_fingerprint_or_a_parse_error(text: str) -> None:
    with suppress(ParseError):
        fingerprint = Fingerprint.parse(text)
        assert Fingerprint.parse(str(fingerprint)) == fingerprint


# Roles


@pytest.mark.parametrize(
    ("offered", "current", "ours"),
    [
        # RFC 5763 §5: active is recommended where the offer leaves it open
        (ACTPASS, None, ACTIVE),
        (ACTIVE, None, PASSIVE),
        (PASSIVE, None, ACTIVE),
        # RFC 4145 §4.1: an offer that says nothing is active
        (None, None, PASSIVE),
        # an association that stays keeps its roles
        (ACTPASS, PASSIVE, PASSIVE),
        (ACTPASS, ACTIVE, ACTIVE),
        (ACTIVE, ACTIVE, PASSIVE),
    ],
)
def test_our_role_in_an_answer(offered: Setup | None, current: Setup | None, ours: Setup) -> None:
    assert answering_role(offered, current) is ours


def test_an_answer_never_leaves_the_role_open() -> None:
    for offered in (ACTPASS, ACTIVE, PASSIVE, None):
        for current in (None, ACTIVE, PASSIVE):
            assert answering_role(offered, current) in (ACTIVE, PASSIVE)


@pytest.mark.parametrize(
    ("answered", "current", "ours"),
    [
        (ACTIVE, None, PASSIVE),
        (PASSIVE, None, ACTIVE),
        # one that has not chosen is taken for one that waits
        (ACTPASS, None, ACTIVE),
        (None, None, ACTIVE),
        # unless there are roles that it can mean
        (ACTPASS, PASSIVE, PASSIVE),
        (None, PASSIVE, PASSIVE),
    ],
)
def test_our_role_after_an_answer(answered: Setup | None, current: Setup | None, ours: Setup) -> None:
    assert answered_role(answered, current) is ours


def test_who_wants_no_association_is_refused() -> None:
    for role in (answering_role, answered_role):
        with pytest.raises(NegotiationError, match="holdconn"):
            role(HOLDCONN)


def test_not_a_role() -> None:
    with pytest.raises(ParseError):
        Setup.parse("both")
    assert Setup.parse(" ACTPASS ") is ACTPASS


# Descriptions


def test_a_description() -> None:
    found = dtls(f"a=fingerprint:{SHA256}", "a=setup:actpass")
    assert found == DtlsDescription(ACTPASS, (Fingerprint.parse(SHA256),))


def test_what_the_session_says_goes_for_m_lines_that_say_nothing() -> None:
    session = (f"a=fingerprint:{SHA1}", "a=setup:active")
    assert dtls(session=session) == DtlsDescription(ACTIVE, (Fingerprint.parse(SHA1),))
    own = dtls(f"a=fingerprint:{SHA256}", "a=setup:passive", session=session)
    assert own == DtlsDescription(PASSIVE, (Fingerprint.parse(SHA256),))


def test_one_certificate_may_be_named_by_several_functions() -> None:
    found = dtls(f"a=fingerprint:{SHA1}", f"a=fingerprint:{SHA256}", "a=fingerprint:broken")
    assert found is not None
    assert [each.algorithm for each in found.fingerprints] == ["sha-1", "sha-256"]
    assert found.setup is None


def test_without_a_fingerprint_there_is_no_dtls() -> None:
    assert dtls("a=setup:actpass") is None


@pytest.mark.parametrize("lines", [("a=fingerprint:broken",), (f"a=fingerprint:{SHA256}", "a=setup:both")])
def test_what_cannot_be_read(lines: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        dtls(*lines)


def test_a_flood_of_fingerprints_is_cut() -> None:
    found = dtls(*[f"a=fingerprint:{SHA256}"] * 400)
    assert found is not None
    assert len(found.fingerprints) == MAX_FINGERPRINTS


def test_what_we_write_can_be_read() -> None:
    for setup in (ACTPASS, None):
        ours = DtlsDescription(setup, (Fingerprint.parse(SHA256),))
        assert dtls(*(f"a={attribute}" for attribute in ours.attributes())) == ours
