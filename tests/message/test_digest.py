"""Digest authentication: the published vectors, and the client's choices."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.message.auth import Challenge, Credentials
from sipstack.message.digest import (
    MAX_NONCES,
    MAX_REALMS,
    MAX_TRIES,
    Algorithm,
    Answered,
    Authentication,
    DigestAccount,
    DigestClient,
    DigestInput,
    ha1,
    select_challenge,
)
from tests.shared import SHARED

ALICE = DigestAccount("alice", "s3cret")
REGISTER = ("REGISTER", "sip:example.com", b"")


def challenge(
    realm: str = "example.com", nonce: str = "n1", *, stale: bool = False, **changes: Any
) -> Challenge:
    """The challenge of most tests: MD5, qop="auth"."""
    values: dict[str, Any] = {"algorithm": "MD5", "qop": ("auth",), **changes}
    return Challenge.digest(realm=realm, nonce=nonce, stale=stale, **values)


# --- the vectors ---


def vectors() -> list[Any]:
    """One parameter a vector; those without a published number get it from the shared calculation."""
    path = SHARED / "conformance" / "digest_vectors.py"
    spec = importlib.util.spec_from_file_location("digest_vectors", path)
    if not path.is_file() or spec is None or spec.loader is None:
        return [
            pytest.param({}, marks=pytest.mark.skip(reason="digest_vectors.py is not beside this checkout"))
        ]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for vector in module.V:
        vector["response"] = vector["response"] or module.response(vector)
    return [
        pytest.param(vector, id=f"{vector['where']} {vector['algorithm']} {vector.get('qop') or 'no qop'}")
        for vector in module.V
    ]


@pytest.mark.parametrize("vector", vectors())
def test_the_vectors_of_the_rfcs(vector: dict[str, str]) -> None:
    algorithm = Algorithm.find(vector["algorithm"])
    assert algorithm is not None
    names = ("nonce", "method", "uri", "qop", "nc", "cnonce")
    hashed = DigestInput(body=vector.get("body", "").encode(), **{name: vector[name] for name in names})
    secret = ha1(vector["username"], vector["realm"], vector["password"], vector["algorithm"])
    assert hashed.response(algorithm, secret) == vector["response"]


def test_a_client_writes_the_credentials_of_rfc_7616() -> None:
    """RFC 7616 §3.9.1, SHA-256, with the parameters that SIP does not quote unquoted."""
    offered = Challenge.parse(
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    client = DigestClient(DigestAccount("Mufasa", "Circle of Life"))
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert str(client.authorize(offered, "GET", "/dir/index.html", b"", cnonce)) == (
        'Digest username="Mufasa", realm="http-auth@example.org",'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html",'
        ' response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", algorithm=SHA-256,'
        ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop=auth, nc=00000001'
    )


def test_without_qop_there_is_no_cnonce_and_no_count() -> None:
    offered = Challenge.parse('Digest realm="example.com", nonce="n1"')
    answer = DigestClient(ALICE).authorize(offered, *REGISTER, "c1")
    assert [name for name, _ in answer.parameters] == ["username", "realm", "nonce", "uri", "response"]


# --- what cannot be answered ---


@pytest.mark.parametrize(
    "text",
    [
        'Basic realm="example.com"',
        'Digest realm="example.com", nonce="n1", algorithm=SHA-1',
        'Digest realm="example.com", nonce="n1", algorithm=SHA-512, qop="auth"',
        'Digest realm="example.com", nonce="n1", qop="auth-conf"',
        'Digest realm="example.com", nonce="n1", algorithm=MD5-sess',
        'Digest realm="example.com", nonce=""',
        'Digest realm="example.com"',
        'Digest nonce="n1"',
    ],
)
def test_a_challenge_that_we_cannot_answer_is_skipped(text: str) -> None:
    unknown = Challenge.parse(text)
    assert select_challenge([unknown]) is None
    assert select_challenge([unknown, challenge()]) == challenge()
    assert DigestClient(ALICE).challenged(Authentication(), [unknown], []) is None
    with pytest.raises(LocalProtocolError, match="cannot answer"):
        DigestClient(ALICE).authorize(unknown, *REGISTER, "c1")


def test_no_challenge_at_all_means_giving_up() -> None:
    assert DigestClient(ALICE).challenged(Authentication(), [], []) is None


def test_a_realm_without_an_account_means_giving_up() -> None:
    client = DigestClient(DigestAccount("alice", "s3cret", realm="example.net"))
    assert client.challenged(Authentication(), [challenge()], []) is None
    with pytest.raises(LocalProtocolError, match=r"'example\.com'"):
        client.authorize(challenge(), *REGISTER, "c1")


def test_an_unknown_algorithm_has_no_ha1() -> None:
    with pytest.raises(ValueError, match="'SHA-1'"):
        ha1("alice", "example.com", "s3cret", "SHA-1")


# --- which challenge is answered ---


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["MD5", "SHA-256", "SHA-512-256"], "SHA-512-256"),
        (["SHA-512-256", "SHA-256", "MD5"], "SHA-512-256"),
        (["MD5", "SHA-256-sess"], "SHA-256-sess"),
        (["SHA-256", "SHA-256-sess"], "SHA-256"),
        (["md5", "unknown"], "md5"),
        ([None, "unknown"], None),
    ],
)
def test_the_strongest_algorithm_is_selected(offered: list[str | None], selected: str | None) -> None:
    challenges = [challenge(algorithm=algorithm) for algorithm in offered]
    assert select_challenge(challenges) == challenge(algorithm=selected)


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (("auth",), "auth"),
        (("auth-int",), "auth-int"),
        (("auth-int", "auth"), "auth"),
        (("token", "auth-int"), "auth-int"),
        ((), None),
    ],
)
def test_the_quality_of_protection_is_selected(offered: tuple[str, ...], selected: str | None) -> None:
    answer = DigestClient(ALICE).authorize(challenge(qop=offered), *REGISTER, "c1")
    assert answer.qop == selected


def test_the_account_of_the_realm_goes_before_the_general_one() -> None:
    client = DigestClient(
        ALICE, DigestAccount("carol", "x", "example.net"), DigestAccount("dave", "y", "example.org")
    )
    realms = ("example.com", "example.net", "example.org")
    answers = [client.authorize(challenge(realm), *REGISTER, "c1") for realm in realms]
    assert [answer.username for answer in answers] == ["alice", "carol", "dave"]


# --- nonce counts ---


def test_each_nonce_has_its_own_count() -> None:
    client = DigestClient(ALICE)
    used = [("example.com", "n1"), ("example.com", "n1"), ("example.com", "n2"), ("example.net", "n1")]
    used.append(("example.com", "n1"))
    answers = [client.authorize(challenge(*pair), *REGISTER, "c1") for pair in used]
    assert [answer.nc for answer in answers] == [1, 2, 1, 1, 3]


def test_the_memory_for_counts_is_bounded() -> None:
    client = DigestClient(ALICE)
    for number in range(MAX_NONCES + 1):
        client.authorize(challenge(nonce=f"n{number}"), *REGISTER, "c1")
    assert client.authorize(challenge(nonce="n1"), *REGISTER, "c1").nc == 2
    assert client.authorize(challenge(nonce="n0"), *REGISTER, "c1").nc == 1


def test_a_session_keeps_its_first_cnonce() -> None:
    """RFC 7616 §3.4.2: the session key is made once, from the first cnonce."""
    client = DigestClient(ALICE)
    session = challenge(algorithm="SHA-256-sess")
    assert [client.authorize(session, *REGISTER, cnonce).cnonce for cnonce in ("c1", "c2")] == ["c1", "c1"]
    plain = challenge(algorithm="SHA-256", nonce="n2")
    assert [client.authorize(plain, *REGISTER, cnonce).cnonce for cnonce in ("c1", "c2")] == ["c1", "c2"]


# --- giving up, and not giving up ---


def test_a_second_challenge_of_the_realm_means_wrong_password() -> None:
    """RFC 3261 §22.1: do not try again with credentials that were just rejected."""
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [challenge(nonce="n1")], [])
    assert first == Authentication(www=(Answered(challenge(nonce="n1"), tries=1),))
    assert client.challenged(first, [challenge(nonce="n2")], []) is None


def test_a_stale_nonce_is_no_refusal() -> None:
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [challenge(nonce="n1")], [])
    assert first is not None
    second = client.challenged(first, [challenge(nonce="n2", stale=True)], [])
    assert second == Authentication(www=(Answered(challenge(nonce="n2", stale=True), tries=2),))
    assert client.challenged(second, [challenge(nonce="n3")], []) is None


def test_the_same_nonce_again_is_a_refusal_even_if_called_stale() -> None:
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [challenge(nonce="n1")], [])
    assert first is not None
    assert client.challenged(first, [challenge(nonce="n1", stale=True)], []) is None


def test_a_server_that_calls_every_nonce_stale_is_left_at_last() -> None:
    client = DigestClient(ALICE)
    answered: Authentication | None = Authentication()
    rounds = 0
    while answered is not None:
        answered = client.challenged(answered, [challenge(nonce=f"n{rounds}", stale=True)], [])
        rounds += 1
    assert rounds == MAX_TRIES + 1


def test_a_nonce_of_before_may_be_unknown_to_the_server_once() -> None:
    """A registrar that was restarted challenges anew, without stale."""
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [challenge(nonce="n1")], [])
    assert first is not None
    untried = first.untried()
    assert untried == Authentication(www=(Answered(challenge(nonce="n1")),))
    second = client.challenged(untried, [challenge(nonce="n2")], [])
    assert second == Authentication(www=(Answered(challenge(nonce="n2"), tries=1),))
    assert client.challenged(second, [challenge(nonce="n3")], []) is None


# --- several realms ---


def test_each_proxy_on_the_way_gets_its_own_credentials() -> None:
    """RFC 3261 §22.3: the credentials for the first proxy stay when the second one challenges."""
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [], [challenge("p1.example.com")])
    assert first is not None
    second = client.challenged(first, [], [challenge("p2.example.com")])
    assert second is not None
    third = client.challenged(second, [challenge("example.com")], [])
    assert third is not None
    fields = client.credentials(third, "INVITE", "sip:bob@example.com", b"v=0\r\n", "c1")
    assert [(name, credentials.realm, credentials.nc) for name, credentials in fields] == [
        ("Authorization", "example.com", 1),
        ("Proxy-Authorization", "p1.example.com", 1),
        ("Proxy-Authorization", "p2.example.com", 1),
    ]


def test_challenges_that_a_forking_proxy_collected_are_answered_together() -> None:
    """One credentials field a realm, for the strongest challenge; none for a realm without account."""
    client = DigestClient(DigestAccount("alice", "1", "a.example"), DigestAccount("bob", "2", "b.example"))
    offered = [
        challenge("a.example", algorithm="MD5"),
        challenge("b.example", algorithm="MD5"),
        challenge("a.example", algorithm="SHA-256"),
        challenge("c.example", algorithm="SHA-256"),
    ]
    answered = client.challenged(Authentication(), offered[:3], offered[3:])
    assert answered == Authentication(www=(Answered(offered[2], tries=1), Answered(offered[1], tries=1)))


def test_one_refusal_among_several_realms_means_giving_up() -> None:
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [challenge("a.example")], [challenge("b.example")])
    assert first is not None
    assert client.challenged(first, [challenge("c.example")], [challenge("b.example", "n2")]) is None


FLOOD = [challenge(f"{number}.example") for number in range(1000)]


def test_a_flood_of_realms_is_not_answered() -> None:
    """Whoever challenges chooses the realm's text: the general password goes to one, and to two proxies."""
    answered = DigestClient(ALICE).challenged(Authentication(), FLOOD, FLOOD)
    assert answered is not None
    assert [each.challenge for each in answered.www] == FLOOD[:1]
    assert [each.challenge for each in answered.proxy] == FLOOD[:2]


def test_a_flood_of_realms_does_not_come_in_portions() -> None:
    client, answered = DigestClient(ALICE), Authentication()
    for number in range(8):
        answered = client.challenged(answered, [], [FLOOD[number]]) or answered
    assert [each.challenge for each in answered.proxy] == FLOOD[:2]


def test_realms_with_an_account_of_their_own_are_answered_beside_it() -> None:
    accounts = [DigestAccount("alice", "s3cret", f"{number}.example") for number in range(5, 20)]
    answered = DigestClient(ALICE, *accounts).challenged(Authentication(), FLOOD, [])
    assert answered is not None
    assert [each.challenge for each in answered.www] == [FLOOD[0], *FLOOD[5:12]]
    assert len(answered.www) == MAX_REALMS


# --- never weaker (RFC 8760 §2.4 leaves the choice among what is offered, not the floor) ---

STRONG = challenge(algorithm="SHA-256")


@pytest.mark.parametrize(
    "weaker",
    [
        challenge(nonce="n2", algorithm="MD5", stale=True),
        challenge(nonce="n2", algorithm="MD5", stale=False),
        challenge(nonce="n2", algorithm="SHA-256", qop=(), stale=True),
        challenge(nonce="n2", algorithm=None, qop=(), stale=True),
    ],
    ids=str,
)
def test_a_weaker_challenge_than_before_is_a_refusal(weaker: Challenge) -> None:
    client = DigestClient(ALICE)
    first = client.challenged(Authentication(), [STRONG], [])
    assert first is not None
    assert client.challenged(first, [weaker], []) is None
    assert client.challenged(first.untried(), [weaker], []) is None  # given unasked, from an earlier request
    assert client.challenged(Authentication(), [weaker], [], taken=[first]) is None


def test_as_strong_or_stronger_is_none() -> None:
    client = DigestClient(ALICE)
    for algorithm in ("SHA-256", "SHA-256-sess", "SHA-512-256"):
        offered = challenge(nonce="n2", algorithm=algorithm)
        answered = client.challenged(Authentication(www=(Answered(STRONG),)), [offered], [])
        assert answered == Authentication(www=(Answered(offered, tries=1),))


@pytest.mark.parametrize(
    ("weakest", "answered"),
    [
        ("MD5", ["MD5", "SHA-256", "SHA-512-256"]),
        ("SHA-256", ["SHA-256", "SHA-512-256"]),
        ("SHA-512-256", ["SHA-512-256"]),
    ],
)
def test_an_account_says_how_weak_an_algorithm_it_answers(weakest: str, answered: list[str]) -> None:
    client = DigestClient(DigestAccount("alice", "s3cret", weakest=weakest))
    offered = [challenge(algorithm=algorithm) for algorithm in ("MD5", "SHA-256", "SHA-512-256")]
    taken = [each.algorithm for each in offered if client.challenged(Authentication(), [each], [])]
    assert taken == answered


# --- the next nonce ---


def test_the_next_nonce_takes_the_place_of_the_old_one() -> None:
    client = DigestClient(ALICE)
    answered = client.challenged(Authentication(), [challenge(nonce="n1", opaque="o")], [])
    assert answered is not None
    renewed = answered.next_nonce('n"2')
    ((name, credentials),) = client.credentials(renewed, *REGISTER, "c1")
    assert (name, credentials.nonce, credentials.nc, credentials.opaque) == ("Authorization", 'n"2', 1, "o")


def test_the_next_nonce_of_one_among_several_realms_is_anybodys() -> None:
    two = Authentication(www=(Answered(challenge("a.example")), Answered(challenge("b.example"))))
    assert two.next_nonce("n2") == two
    assert Authentication().next_nonce("n2") == Authentication()


# --- text ---


@pytest.mark.parametrize("username", ['a"b', "a\\b", "a, b", "Jäsøn Doe", "a:b", "", "\udcff"])
def test_odd_user_names_survive_quoting(username: str) -> None:
    answer = DigestClient(DigestAccount(username, 'pass:word, \\"')).authorize(
        challenge('re"alm'), *REGISTER, "c1"
    )
    read = Credentials.parse(str(answer))
    assert (read.username, read.realm) == (username, 're"alm')
    assert read.response == answer.response


def test_the_password_is_in_no_repr() -> None:
    client = DigestClient(ALICE)
    answered = client.challenged(Authentication(), [challenge()], [])
    assert answered is not None
    fields = client.credentials(answered, *REGISTER, "c1")
    assert repr(client) == "<DigestClient ['alice']>"
    assert "s3cret" not in f"{ALICE!r} {ALICE} {client!r} {answered!r} {fields!r}"
