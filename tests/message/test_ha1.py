"""What a realm's server stores in place of a password (RFC 7616 §3.4.2), used in place of the password."""

from __future__ import annotations

import json

import attrs
import pytest

from sipstack import LocalProtocolError
from sipstack.message.auth import Challenge, Credentials
from sipstack.message.digest import NOTHING, DigestAccount, DigestClient
from sipstack.message.digest_server import Verdict
from sipstack.message.hashing import Ha1, ha1
from tests.simulation.challenges import PASSWORD, REALM, USERNAME, server

STORED = ha1(USERNAME, REALM, PASSWORD, "SHA-256")


def client(stored: Ha1) -> DigestClient:
    return DigestClient(DigestAccount(USERNAME, stored, REALM))


def answer(stored: Ha1, *challenges: Challenge) -> Credentials | None:
    ours = client(stored)
    answered = ours.challenged(NOTHING, challenges, ())
    if answered is None:
        return None
    ((_, credentials),) = ours.credentials(answered, "OPTIONS", "sip:b@h", b"", "cnonce")
    return credentials


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-256-sess"])
def test_it_answers_like_the_password(algorithm: str) -> None:
    digest = server(algorithm)
    credentials = answer(Ha1(STORED.upper(), algorithm), *digest.challenges(0.0))
    assert credentials is not None
    right = digest.check(
        credentials, "OPTIONS", b"", lambda user, family: ha1(user, REALM, PASSWORD, family), 1.0
    )
    assert right is Verdict.OK


def test_it_answers_with_no_other_algorithm() -> None:
    assert answer(Ha1(STORED, "SHA-256"), *server("MD5").challenges(0.0)) is None
    chosen = answer(Ha1(STORED, "SHA-256"), *server("SHA-512-256", "SHA-256", "MD5").challenges(0.0))
    assert chosen is not None
    assert chosen.algorithm == "SHA-256"


def test_it_is_for_one_realm() -> None:
    with pytest.raises(LocalProtocolError, match="for one realm: give it in credentials="):
        DigestAccount(USERNAME, Ha1(STORED, "SHA-256"))
    elsewhere = Challenge.digest(realm="elsewhere", nonce="n", algorithm="SHA-256", qop=("auth",))
    assert answer(Ha1(STORED, "SHA-256"), elsewhere) is None


@pytest.mark.parametrize(
    ("digest", "algorithm", "words"),
    [
        (STORED, "MD5", "an Ha1 of MD5 has 32 hexadecimal digits"),
        (STORED[:-1], "SHA-256", "has 64 hexadecimal digits"),
        (STORED + "\n", "SHA-256", "has 64 hexadecimal digits"),
        ("g" * 32, "MD5", "has 32 hexadecimal digits"),
        (STORED, "SHA-3", "unknown digest algorithm 'SHA-3'"),
    ],
)
def test_what_is_none(digest: str, algorithm: str, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words) as raised:
        Ha1(digest, algorithm)
    assert digest.strip() not in str(raised.value)


def test_it_is_shown_nowhere() -> None:
    stored = Ha1(STORED, "SHA-256")
    account = DigestAccount(USERNAME, stored, REALM)
    texts = repr(stored), str(stored), repr(account), json.dumps(attrs.asdict(account), default=repr)
    assert [text for text in texts if STORED in text] == []
