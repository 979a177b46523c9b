"""PASSporT: what is signed, and what is refused before any key is looked at (RFC 8225, RFC 8588)."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.message import Identity, Passport, parse_uri
from sipstack.message.passport import MAXIMUM_LENGTH, Party, in_order, normal, number_of

URL = "https://cert.example.org/passport.cer"
HEADER = {"alg": "ES256", "typ": "passport", "x5u": URL}
CLAIMS = {"dest": {"uri": ["sip:alice@example.com"]}, "iat": 1471375418, "orig": {"tn": "12155551212"}}
SHAKEN = CLAIMS | {"attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def token(header: object = HEADER, claims: object = CLAIMS, signature: str = "AAAA") -> str:
    return f"{part(header)}.{part(claims)}.{signature}"


def refused(text: str) -> str:
    with pytest.raises(ParseError) as error:
        Passport.parse(text)
    return str(error.value)


# --- what is refused ---


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "RS256", "HS256", "ES384", "es256", "", None, 1, ["ES256"]]
)
def test_no_algorithm_but_es256(algorithm: object) -> None:
    assert "ES256" in refused(token(HEADER | {"alg": algorithm}))


def test_a_token_without_an_algorithm_or_of_another_kind() -> None:
    assert "ES256" in refused(token({"typ": "passport", "x5u": URL}))
    assert "no PASSporT" in refused(token(HEADER | {"typ": "JWT"}))
    assert "demands" in refused(token(HEADER | {"crit": ["b64"]}))


@pytest.mark.parametrize("text", ["", "a", "..", "a.b", "e30.e30.", ".e30.AAAA", "e30.e30.AAAA.AAAA"])
def test_not_three_parts(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("signature", ["AAAAA", "A===", "A A", "AB", "A+/A", "é"])
def test_a_part_is_base64url_and_written_in_one_way(signature: str) -> None:
    """AB and AA are the same octet to a reader that does not look: two texts of one signature."""
    assert "base64url" in refused(token(signature=signature))


def test_a_token_beyond_all_measure_is_not_read() -> None:
    assert "three parts" in refused(token(claims=CLAIMS | {"x": "a" * MAXIMUM_LENGTH}))


@pytest.mark.parametrize("deep", ["[" * 3000, "[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33])
def test_nesting_is_bounded(deep: str) -> None:
    assert "nested" in refused(token(claims=deep))


@pytest.mark.parametrize(
    "text",
    ["[]", "1", '"a"', "{", "nonsense", "\x00", '{"iat":1} x', '{"iat":NaN}', '{"iat":' + "9" * 5000 + "}"],
)
def test_claims_are_one_json_object(text: str) -> None:
    refused(token(claims=text))


def test_a_name_that_comes_twice_is_refused() -> None:
    """One reader would verify the first caller, and the next one show the second."""
    claims = '{"dest":{"tn":["1"]},"iat":1,"orig":{"tn":"12155551212"},"orig":{"tn":"13035551212"}}'
    assert "twice" in refused(token(claims=claims))


def test_half_a_character_is_refused() -> None:
    assert "surrogate" in refused(
        token(claims='{"orig":{"uri":"sip:\\uD800@a"},"dest":{"tn":["1"]},"iat":1}')
    )


@pytest.mark.parametrize(
    "orig",
    [
        None,
        "12155551212",
        {},
        {"tn": "1", "uri": "sip:a@b"},
        {"tn": ["1"]},
        {"tn": ""},
        {"tn": "--"},
        {"tn": "alice"},
        {"uri": "alice"},
        {"uri": ""},
        {"name": "alice"},
    ],
)
def test_a_caller_is_one_number_or_uri(orig: object) -> None:
    refused(token(claims=CLAIMS | {"orig": orig}))


@pytest.mark.parametrize(
    "dest",
    [None, {}, [], {"tn": "1"}, {"tn": []}, {"tn": [1]}, {"tn": ["1"] * 17}, {"uri": ["x"]}, {"x": ["1"]}],
)
def test_who_is_called_is_a_list_of_a_few(dest: object) -> None:
    refused(token(claims=CLAIMS | {"dest": dest}))


@pytest.mark.parametrize("issued", [None, True, -1, 1.5, "1471375418", 2**40, [1]])
def test_a_time_is_a_whole_number(issued: object) -> None:
    assert "'iat'" in refused(token(claims=CLAIMS | {"iat": issued}))


@pytest.mark.parametrize("changes", [{"attest": "D"}, {"attest": None}, {"origid": ""}, {"origid": 7}])
def test_shaken_has_an_attestation_and_an_origin(changes: dict[str, Any]) -> None:
    refused(token(HEADER | {"ppt": "shaken"}, SHAKEN | changes))


@pytest.mark.parametrize("keys", [None, [], {}, "x", ["x"], [{"alg": "sha-256"}], [{"alg": 1, "dig": "A"}]])
def test_fingerprints_are_a_list(keys: object) -> None:
    refused(token(claims=CLAIMS | {"mky": keys}))


@pytest.mark.parametrize("changes", [{"x5u": None}, {"x5u": ""}, {"x5u": 5}, {"ppt": ""}, {"ppt": 5}])
def test_header_fields_are_texts(changes: dict[str, Any]) -> None:
    refused(token(HEADER | changes))


# --- what is read and written ---


def test_the_example_of_rfc_8225_section_4_and_5() -> None:
    """Appendix A: header and payload, octet for octet, as they are signed."""
    passport = Passport(Party("tn", "12155551212"), (Party("uri", "sip:alice@example.com"),), 1471375418, URL)
    expected = (
        "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
        ".eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1"
        "NTUxMjEyIn19"
    )
    assert passport.to_sign().decode() == expected


def test_what_is_written_is_read_back() -> None:
    passport = Passport(
        Party("tn", "12155551212"),
        (Party("tn", "13035551212"), Party("uri", "sip:bob@b.test")),
        1471375418,
        URL,
        "shaken",
        "B",
        "123e4567",
        (("sha-256", "02AC"),),
    )
    read = Passport.parse(passport.token(b"sig"))
    assert (read.signed, read.signature) == (passport.to_sign(), b"sig")
    assert (read.header, read.claims) == (passport.header, passport.claims)


def test_the_compact_form_is_the_signature_alone() -> None:
    passport = Passport(Party("tn", "1"), (Party("tn", "2"),), 1, URL)
    identity = Identity.of(passport.compact(b"sig"), URL, None)
    assert str(identity) == f"..c2ln;info=<{URL}>;alg=ES256"
    assert identity.is_compact
    assert not Identity.of(passport.token(b"sig"), URL, None).is_compact


@pytest.mark.parametrize(
    "text", ["", "abc", "abc;info=", "abc;info=x", "abc;alg=ES256", "a b;info=<https://c>"]
)
def test_not_an_identity(text: str) -> None:
    with pytest.raises(ParseError):
        Identity.parse(text)


def test_an_identity_as_gateways_write_it() -> None:
    identity = Identity.parse('e30.e30.AA ; info=<https://a.test/b,c>;alg=ES256;ppt="shaken"')
    assert (identity.info, identity.algorithm, identity.extension) == (
        "https://a.test/b,c",
        "ES256",
        "shaken",
    )


# --- who is who ---


@pytest.mark.parametrize(
    ("uri", "kind", "value"),
    [
        ("tel:+1-215-555-1212", "tn", "12155551212"),
        ("tel:911;phone-context=+1", "tn", "911"),
        ("sip:+12155551212@carrier.test:5070;user=phone", "tn", "12155551212"),
        ("sip:+1(215)555.1212@carrier.test", "tn", "12155551212"),
        ("sip:12155551212@carrier.test;user=phone", "tn", "12155551212"),
        ("sip:+12155551212;npdi@carrier.test", "tn", "12155551212"),
        ("sip:1001@pbx.test", "uri", "sip:1001@pbx.test"),
        ("sip:Alice@PBX.Test:5070;transport=tcp", "uri", "sip:Alice@pbx.test"),
        ("sip:al%69ce@pbx.test", "uri", "sip:alice@pbx.test"),
        ("sips:pbx.test", "uri", "sips:pbx.test"),
        ("sip:+alice@pbx.test", "uri", "sip:+alice@pbx.test"),
        ("urn:service:sos", "uri", "urn:service:sos"),
    ],
)
def test_a_number_is_told_from_a_uri(uri: str, kind: str, value: str) -> None:
    """RFC 8224 §8."""
    party = Party.of(parse_uri(uri))
    assert (party.kind, party.value) == (kind, value)
    assert party.is_at(parse_uri(uri))


def test_a_number_is_the_same_at_every_domain_and_a_user_is_not() -> None:
    number, user = Party("tn", "12155551212"), Party("uri", "sip:alice@a.test")
    assert number.is_at(parse_uri("sip:12155551212@b.test"))
    assert not number.is_at(parse_uri("sip:12155551213@b.test"))
    assert not number.is_at(parse_uri("sip:alice@b.test"))
    assert not user.is_at(parse_uri("sip:alice@b.test"))
    assert not user.is_at(parse_uri("sip:bob@a.test"))


def test_an_empty_number_is_nobody() -> None:
    assert not Party("tn", "").is_at(parse_uri("sip:alice@a.test"))
    assert number_of(parse_uri("tel:---1---")) == "1"
    assert number_of(parse_uri("mailto:a@b")) == ""


def test_octets_that_are_no_utf_8_stand_escaped() -> None:
    assert normal(parse_uri("sip:al\udce9@a.test")) == "sip:al%E9@a.test"


def test_fingerprints_have_an_order_and_no_colons() -> None:
    found = [("SHA-256", "0b:1c"), ("sha-1", "AA:bb"), ("sha-256", "0A:11"), ("sha-1", "aabb")]
    assert in_order(found) == (("sha-1", "AABB"), ("sha-256", "0A11"), ("sha-256", "0B1C"))


# --- whatever comes ---


@given(st.text(max_size=200))
def test_any_text_is_an_identity_or_a_parse_error(text: str) -> None:
    for read in (Identity.parse, Passport.parse):
        with contextlib.suppress(ParseError):
            read(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.sampled_from(["orig", "dest", "iat", "mky", "attest", "origid", "alg", "typ", "x5u", "ppt"]),
    json_values,
)
def test_any_value_of_a_claim_is_read_or_a_parse_error(name: str, value: object) -> None:
    for header, claims in ((HEADER, SHAKEN), (HEADER | {"ppt": "shaken"}, SHAKEN)):
        if name in ("alg", "typ", "x5u", "ppt"):
            text = token(header | {name: value}, claims)
        else:
            text = token(header, claims | {name: value})
        with contextlib.suppress(ParseError):
            passport = Passport.parse(text)
            assert Passport.parse(passport.token(b"sig")).claims == passport.claims
