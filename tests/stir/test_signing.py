"""What a Signer sends, and which keys it takes (RFC 8224 §6.1, RFC 8588)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sipstack.errors import LocalProtocolError
from sipstack.message import Identity, Passport, parse_uri
from sipstack.stir import Signer
from tests.stir.carrier import CALLEE, CALLER, NOW, URL, new_key, pem_of

FROM, TO = parse_uri(CALLER), parse_uri(CALLEE)
DESCRIPTION = b"v=0\r\na=fingerprint:sha-256 0B:1C\r\nm=audio 1 UDP/TLS/RTP/SAVP 0\r\n"


def identity_of(signer: Signer, description: bytes = b"") -> Identity:
    identity = dict(signer.headers(FROM, TO, description))["Identity"]
    assert isinstance(identity, Identity)
    return identity


WRONG = {
    "nothing": b"",
    "no pem": b"secret-bytes",
    "p-384": pem_of(ec.generate_private_key(ec.SECP384R1())),
    "rsa": pem_of(rsa.generate_private_key(65537, 2048)),
    "password": new_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_key_that_does_not_fit_is_refused_and_not_quoted(kind: str) -> None:
    with pytest.raises(LocalProtocolError, match="P-256") as error:
        Signer(WRONG[kind], URL)
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["", "http://a.test/x", "https://a.test/<x>", "https://a.test/é", "https://a b"]
)
def test_a_certificate_is_at_an_https_url(url: str) -> None:
    with pytest.raises(LocalProtocolError, match="certificate_url"):
        Signer(pem_of(new_key()), url)


def test_attestations_are_a_b_and_c_and_sent_in_full() -> None:
    key = pem_of(new_key())
    with pytest.raises(LocalProtocolError, match="A, B, C or None"):
        Signer(key, URL, "D")
    with pytest.raises(LocalProtocolError, match="in full"):
        Signer(key, URL, "A", compact=True)


def test_a_signer_shows_no_key() -> None:
    key = pem_of(new_key())
    text = repr(Signer(key, URL))
    assert text == f"<Signer {URL} attestation=A>"


def test_a_call_is_signed_as_shaken_wants_it() -> None:
    signer = Signer(pem_of(new_key()), URL, "B", origin="123", clock=lambda: NOW + 0.9)
    (date, moment), (name, identity) = signer.headers(FROM, TO, DESCRIPTION)
    assert (date, str(moment), name) == ("Date", "Fri, 15 Jan 2027 08:00:00 GMT", "Identity")
    assert isinstance(identity, Identity)
    assert str(identity).endswith(f";info=<{URL}>;alg=ES256;ppt=shaken")
    passport = Passport.parse(identity.token)
    assert passport.header == {"alg": "ES256", "typ": "passport", "x5u": URL, "ppt": "shaken"}
    assert passport.claims == {
        "attest": "B",
        "dest": {"tn": ["13035551212"]},
        "iat": 1_800_000_000,
        "orig": {"tn": "12155551212"},
        "origid": "123",
    }
    assert len(passport.signature) == 64


@pytest.mark.parametrize(("attestation", "kind"), [("A", "tn"), (None, "uri")])
def test_digits_alone_are_a_number_to_the_providers_of_numbers(attestation: str | None, kind: str) -> None:
    """A PBX writes no + in front; where there is no SHAKEN, they are as likely an extension."""
    signer = Signer(pem_of(new_key()), URL, attestation)
    identity = dict(signer.headers(parse_uri("sip:12155551212@pbx.test"), TO))["Identity"]
    assert isinstance(identity, Identity)
    caller = Passport.parse(identity.token).caller
    assert (caller.kind, caller.value.partition("@")[0].removeprefix("sip:")) == (kind, "12155551212")


def test_each_signer_has_an_origin_of_its_own() -> None:
    key = pem_of(new_key())
    origins = {Passport.parse(identity_of(Signer(key, URL)).token).origin for _ in range(3)}
    assert len(origins) == 3


def test_a_plain_signature_is_one_over_the_fingerprints_too() -> None:
    """RFC 8224 §4.1: mky. SHAKEN has none: its calls pass gateways that change the description."""
    key = pem_of(new_key())
    plain = Passport.parse(identity_of(Signer(key, URL, None), DESCRIPTION).token)
    assert plain.keys == (("sha-256", "0B1C"),)
    assert (plain.extension, plain.attestation, plain.origin) == (None, None, None)
    assert Passport.parse(identity_of(Signer(key, URL), DESCRIPTION).token).keys is None


def test_the_compact_form_has_a_date_and_no_claims() -> None:
    signer = Signer(pem_of(new_key()), URL, None, compact=True, clock=lambda: NOW)
    identity = identity_of(signer)
    assert identity.is_compact
    assert len(identity.token) == 2 + 86
