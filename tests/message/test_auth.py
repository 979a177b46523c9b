"""Challenges and credentials as header fields (RFC 3261 §20.7, §20.27, §20.44, RFC 7616)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack.errors import ParseError
from sipstack.message import AuthenticationInfo, Challenge, Credentials, Parameters


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"Digest"',
        "Digest a b",
        'Digest realm="x',
        'Digest realm="x" nonce="y"',
        "Digest a=1, A=2",
        "Digest =x",
        "Digest a=\0",
        "Digest a=b, c",
    ],
)
@pytest.mark.parametrize("parse", [Challenge.parse, Credentials.parse])
def test_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


def test_challenge() -> None:
    challenge = Challenge.parse(
        'Digest realm="atlanta.com", domain="sip:ss1.carrier.com", qop="auth, auth-int",\t'
        'nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=MD5'
    )
    assert challenge.is_digest
    assert (challenge.realm, challenge.nonce) == ("atlanta.com", "f84f1cec41e6cbe5aea9c8e88d359")
    assert (challenge.qop, challenge.opaque, challenge.algorithm) == (("auth", "auth-int"), "", "MD5")
    assert not challenge.stale
    assert challenge.text("Domain") == "sip:ss1.carrier.com"


def test_a_bare_challenge() -> None:
    challenge = Challenge.parse("digest")
    assert (challenge.is_digest, challenge.realm, challenge.nonce) == (True, "", "")
    assert (challenge.qop, challenge.opaque, challenge.algorithm, challenge.stale) == ((), None, "MD5", False)
    assert str(challenge) == "digest"


def test_writing_a_challenge() -> None:
    challenge = Challenge.digest(
        realm='a"b', nonce="n", algorithm="SHA-256", qop=("auth",), opaque="o", stale=True
    )
    text = r'Digest realm="a\"b", nonce="n", opaque="o", stale=true, algorithm=SHA-256, qop="auth"'
    assert str(challenge) == text
    assert Challenge.parse(text) == challenge
    assert str(Challenge.digest(realm="a", nonce="n")) == 'Digest realm="a", nonce="n"'


def test_credentials() -> None:
    credentials = Credentials.parse(
        'Digest username="bob", realm="biloxi.com", nonce="dcd98b71", uri="sip:bob@biloxi.com", qop=auth, '
        'nc=0000000a, cnonce="0a4f113b", response="6629FAE4", opaque="5ccc069c"'
    )
    assert (credentials.username, credentials.uri) == ("bob", "sip:bob@biloxi.com")
    assert (credentials.response, credentials.qop, credentials.nc) == ("6629fae4", "auth", 10)
    assert (credentials.cnonce, credentials.opaque) == ("0a4f113b", "5ccc069c")


def test_bare_credentials() -> None:
    credentials = Credentials.parse("Digest")
    assert (credentials.username, credentials.uri, credentials.response) == ("", "", "")
    assert (credentials.cnonce, credentials.qop, credentials.nc) == (None, None, None)


@pytest.mark.parametrize("nc", ["1", "0000000g", "000000001", ""])
def test_not_a_nonce_count(nc: str) -> None:
    with pytest.raises(ParseError):
        _ = Credentials("Digest", Parameters({"nc": nc})).nc


def test_writing_credentials() -> None:
    credentials = Credentials.digest(
        username="bob",
        realm="r",
        nonce="n",
        uri="sip:r",
        response="ab",
        algorithm="MD5",
        cnonce="c",
        qop="auth",
        nc=1,
    )
    text = (
        'Digest username="bob", realm="r", nonce="n", uri="sip:r", response="ab", algorithm=MD5, '
        'cnonce="c", qop=auth, nc=00000001'
    )
    assert str(credentials) == text
    assert Credentials.parse(text) == credentials


def test_a_scheme_with_one_opaque_token() -> None:
    credentials = Credentials.parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert (credentials.is_digest, credentials.token68) == (False, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert str(credentials) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_unquoted_and_empty_elements_of_sloppy_peers() -> None:
    challenge = Challenge.parse("Digest realm=x , , nonce=y,")
    assert (challenge.realm, challenge.nonce) == ("x", "y")


def test_authentication_info() -> None:
    info = AuthenticationInfo.parse('nextnonce="47364c", rspauth="ab", qop=auth')
    assert (info.nextnonce, info.rspauth) == ("47364c", "ab")
    assert str(info) == 'nextnonce="47364c", rspauth="ab", qop=auth'
    with pytest.raises(ParseError):
        AuthenticationInfo.parse("x")
