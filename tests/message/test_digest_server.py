"""The digest server, with our client at the other end (RFC 3261 §22.4, RFC 7616)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sipstack.message.auth import Challenge, Credentials
from sipstack.message.digest import Algorithm, DigestAccount, DigestClient, DigestInput, ha1
from sipstack.message.digest_server import DigestServer, Verdict

REALM = "example.com"
SECRET = b"0123456789abcdef"
PASSWORDS = {"alice": "s3cret", 'b"ö\\b': "päss:wörd"}
FAMILIES = ("MD5", "SHA-256", "SHA-512-256")
# A session needs the cnonce, which goes with a qop.
COMBINATIONS = [
    *itertools.product(FAMILIES, ("", "auth", "auth-int")),
    *itertools.product([f"{family}-sess" for family in FAMILIES], ("auth", "auth-int")),
]
INVITE = ("INVITE", "sip:bob@example.com", b"v=0\r\n")


def lookup(username: str, algorithm: str) -> str | None:
    password = PASSWORDS.get(username)
    return ha1(username, REALM, password, algorithm) if password is not None else None


def answer(challenge: Challenge, username: str = "alice", password: str = "s3cret") -> Credentials:
    """The answer of a client, after a journey as text."""
    client = DigestClient(DigestAccount(username, password))
    return Credentials.parse(str(client.authorize(Challenge.parse(str(challenge)), *INVITE, "c1")))


def changed(credentials: Credentials, **parameters: str | None) -> Credentials:
    """The credentials with other parameters: text in quotes, None to leave one out."""
    changes = credentials.parameters
    for name, text in parameters.items():
        changes = changes.without(name) if text is None else changes.with_text(name, text)
    return Credentials(credentials.scheme, changes)


def check(server: DigestServer, credentials: Credentials, now: float = 1000.0, **options: Any) -> Verdict:
    method, _, body = INVITE
    return server.check(credentials, method, body, lookup, now, **options)


# --- wrong ---


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", "S3cret"), ("alice", ""), ("mallory", "s3cret"), ("", "s3cret"), ("alice", "s3cret ")],
)
def test_another_password_or_an_unknown_user_is_wrong(username: str, password: str) -> None:
    server = DigestServer(REALM, SECRET)
    for challenge in server.challenges(1000.0):
        assert check(server, answer(challenge, username, password)) is Verdict.WRONG


@pytest.mark.parametrize(
    "changes",
    [
        {"response": None},
        {"response": ""},
        {"response": "ä\udcff"},
        {"username": None},
        {"realm": "example.net"},
        {"realm": None},
        {"nonce": None},
        {"uri": None},
        {"uri": "sip:eve@example.com"},
        {"algorithm": "MD5"},
        {"algorithm": "SHA-256-sess"},
        {"algorithm": "SHA-1"},
        {"algorithm": None},
        {"qop": None},
        {"qop": "auth-int"},
        {"qop": "auth-conf"},
        {"nc": None},
        {"nc": "1"},
        {"nc": "0000000x"},
        {"nc": "00000002"},
        {"cnonce": None},
        {"cnonce": "c2"},
    ],
    ids=str,
)
def test_credentials_with_one_parameter_changed_are_wrong(changes: dict[str, str | None]) -> None:
    server = DigestServer(REALM, SECRET, algorithms=("SHA-256",))
    (challenge,) = server.challenges(1000.0)
    assert check(server, changed(answer(challenge), **changes)) is Verdict.WRONG
    assert check(server, answer(challenge)) is Verdict.OK


@pytest.mark.parametrize("text", ["Basic YWxpY2U6czNjcmV0", "Digest", 'Digest username="alice"'])
def test_other_credentials_are_wrong(text: str) -> None:
    assert check(DigestServer(REALM, SECRET), Credentials.parse(text)) is Verdict.WRONG


def test_credentials_for_another_method_are_wrong() -> None:
    server = DigestServer(REALM, SECRET)
    challenge = server.challenges(1000.0)[0]
    assert server.check(answer(challenge), "BYE", b"", lookup, 1000.0) is Verdict.WRONG


def test_a_right_digest_over_a_malformed_count_is_wrong() -> None:
    server = DigestServer(REALM, SECRET, algorithms=("MD5",))
    credentials = answer(server.challenges(1000.0)[0])
    md5 = Algorithm("MD5")
    hashed = DigestInput(credentials.nonce, "INVITE", credentials.uri, b"", "auth", "1", "c1")
    response = hashed.response(md5, ha1("alice", REALM, "s3cret"))
    assert check(server, changed(credentials, nc="1", response=response)) is Verdict.WRONG


def test_auth_int_notices_another_body_auth_does_not() -> None:
    verdicts = []
    for qop in ("auth", "auth-int"):
        server = DigestServer(REALM, SECRET, qop=(qop,))
        challenge = server.challenges(1000.0)[0]
        verdicts.append(server.check(answer(challenge), "INVITE", b"v=1\r\n", lookup, 1000.0))
    assert verdicts == [Verdict.OK, Verdict.WRONG]


def test_a_tampered_nonce_is_wrong() -> None:
    server = DigestServer(REALM, SECRET)
    credentials = answer(server.challenges(1000.0)[0])
    assert check(server, changed(credentials, nonce=credentials.nonce[::-1])) is Verdict.WRONG


# --- right, but not good enough ---


def test_a_nonce_that_is_not_ours_is_stale_for_who_knows_the_password() -> None:
    """RFC 7616 §3.3: stale means that the nonce was invalid, and the digest right."""
    forged = Challenge.digest(realm=REALM, nonce="forged", algorithm="MD5", qop=("auth",))
    server = DigestServer(REALM, SECRET)
    assert check(server, answer(forged)) is Verdict.STALE
    assert check(server, answer(forged, password="wrong")) is Verdict.WRONG


def test_an_expired_nonce_is_stale_and_the_next_challenge_helps() -> None:
    server = DigestServer(REALM, SECRET, nonce_lifetime=60.0)
    credentials = answer(server.challenges(1000.0)[0])
    assert check(server, credentials, 1060.1) is Verdict.STALE
    again = server.challenges(1060.1, stale=True)
    assert [challenge.stale for challenge in again] == [True, True]
    assert check(server, answer(again[0]), 1060.2) is Verdict.OK


def test_a_nonce_bound_to_one_address_is_stale_from_another() -> None:
    server = DigestServer(REALM, SECRET)
    credentials = answer(server.challenges(1000.0, binding="192.0.2.1")[0])
    assert check(server, credentials, binding="192.0.2.66") is Verdict.STALE
    assert check(server, credentials, binding="192.0.2.1") is Verdict.OK


def test_the_same_credentials_again_are_a_replay() -> None:
    server = DigestServer(REALM, SECRET)
    credentials = answer(server.challenges(1000.0)[0])
    assert [check(server, credentials) for _ in range(2)] == [Verdict.OK, Verdict.REPLAYED]


def test_a_growing_count_is_no_replay_nor_one_that_was_overtaken() -> None:
    server = DigestServer(REALM, SECRET)
    client = DigestClient(DigestAccount("alice", "s3cret"))
    challenge = server.challenges(1000.0)[0]
    answers = [client.authorize(challenge, *INVITE, f"c{number}") for number in range(4)]
    assert [check(server, answers[number]) for number in (0, 1, 3, 2)] == [Verdict.OK] * 4
    assert [check(server, each) for each in answers] == [Verdict.REPLAYED] * 4


def test_wrong_credentials_do_not_use_up_a_count() -> None:
    server = DigestServer(REALM, SECRET)
    challenge = server.challenges(1000.0)[0]
    assert check(server, answer(challenge, password="wrong")) is Verdict.WRONG
    assert check(server, answer(challenge)) is Verdict.OK


def test_without_qop_a_nonce_is_good_for_one_request() -> None:
    server = DigestServer(REALM, SECRET, qop=())
    credentials = answer(server.challenges(1000.0)[0])
    assert [check(server, credentials) for _ in range(2)] == [Verdict.OK, Verdict.REPLAYED]


# --- right ---


@pytest.mark.parametrize("username", list(PASSWORDS))
@pytest.mark.parametrize(("algorithm", "qop"), COMBINATIONS)
def test_client_and_server_agree(algorithm: str, qop: str, username: str) -> None:
    server = DigestServer(REALM, SECRET, algorithms=(algorithm,), qop=(qop,) if qop else ())
    (challenge,) = server.challenges(1000.0)
    assert check(server, answer(challenge, username, PASSWORDS[username])) is Verdict.OK
    (challenge,) = server.challenges(1000.0)
    assert check(server, answer(challenge, username, "wrong")) is Verdict.WRONG


def test_a_session_goes_on_with_its_first_cnonce() -> None:
    server = DigestServer(REALM, SECRET, algorithms=("SHA-256-sess",))
    client = DigestClient(DigestAccount("alice", "s3cret"))
    (challenge,) = server.challenges(1000.0)
    answers = [client.authorize(challenge, *INVITE, cnonce) for cnonce in ("c1", "c2", "c3")]
    assert [check(server, credentials) for credentials in answers] == [Verdict.OK] * 3


def test_digits_in_upper_case_are_accepted() -> None:
    server = DigestServer(REALM, SECRET)
    credentials = answer(server.challenges(1000.0)[0])
    assert check(server, changed(credentials, response=credentials.response.upper())) is Verdict.OK


def test_challenges_come_in_order_of_preference_with_one_nonce() -> None:
    """RFC 8760 §2.3: the most preferred algorithm is the topmost."""
    challenges = DigestServer(REALM, SECRET, algorithms=("SHA-512-256", "MD5")).challenges(1000.0)
    nonce = challenges[0].nonce
    assert [str(challenge) for challenge in challenges] == [
        f'Digest realm="example.com", nonce="{nonce}", algorithm=SHA-512-256, qop="auth"',
        f'Digest realm="example.com", nonce="{nonce}", algorithm=MD5, qop="auth"',
    ]


# --- configuration ---


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"algorithms": ()}, "none of the algorithms"),
        ({"algorithms": ("SHA-1",)}, "none of the algorithms"),
        ({"qop": ("auth-conf",)}, "qop is of auth and auth-int"),
        ({"algorithms": ("MD5-sess",), "qop": ()}, "needs a qop"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, tuple[str, ...]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        DigestServer(REALM, SECRET, **settings)  # type: ignore[arg-type]


def test_an_algorithm_that_is_not_available_is_not_offered() -> None:
    challenges = DigestServer(REALM, SECRET, algorithms=("SHA-3", "MD5")).challenges(1000.0)
    assert [challenge.algorithm for challenge in challenges] == ["MD5"]


def test_the_secret_is_in_no_repr() -> None:
    assert repr(DigestServer(REALM, SECRET)) == "<DigestServer 'example.com' ['SHA-256', 'MD5']>"
