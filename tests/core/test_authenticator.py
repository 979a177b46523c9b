"""Which challenges are answered, and what the next request carries (RFC 3261 §22)."""

from __future__ import annotations

import random

import attrs
import pytest

from sipstack.core.authenticator import MAXIMUM_CALLS, MAXIMUM_REMEMBERED, Authenticator
from sipstack.dialog.draft import Draft
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response
from sipstack.message.digest import NOTHING, DigestAccount
from sipstack.message.digest_server import DigestServer, Verdict
from tests.simulation.challenges import PASSWORD, USERNAME, challenge, server, verdict

OPTIONS = Request("OPTIONS", "sip:bob@example.com")
HEADERS = (("Subject", "1"),)
DRAFT = Draft("OPTIONS", "sip:bob@example.com", "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1, headers=HEADERS)


def authenticator(account: DigestAccount | None) -> Authenticator:
    return Authenticator(() if account is None else (account,), Identifiers(random.Random(1)))


def refusal(*digests: DigestServer, field: str = "WWW-Authenticate") -> Response:
    fields = [line for digest in digests for line in challenge(digest, 0.0, field=field)]
    return OPTIONS.response(401, headers=fields)


def test_without_an_account_nothing_is_answered() -> None:
    assert authenticator(None).challenged(DRAFT, NOTHING, refusal(server())) is None


def test_a_refusal_without_a_readable_challenge_is_final() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    for fields in ([], [("WWW-Authenticate", "?")], [("Proxy-Authenticate", '"')]):
        assert ours.challenged(DRAFT, NOTHING, OPTIONS.response(401, headers=fields)) is None


def test_an_account_of_another_realm_is_no_help() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD, realm="example.net"))
    assert ours.challenged(DRAFT, NOTHING, refusal(server())) is None


def test_credentials_go_before_the_other_fields_and_replace_older_ones() -> None:
    ours, digest = authenticator(DigestAccount(USERNAME, PASSWORD)), server("SHA-256")
    answered = ours.challenged(DRAFT, NOTHING, refusal(digest))
    assert answered is not None
    first = ours.authorized(DRAFT, answered)
    again = ours.authorized(Draft("OPTIONS", DRAFT.uri, "", "", "c", 2, headers=first), answered)
    assert [name for name, _ in again.items()] == ["Authorization", "Subject"]
    for headers in (first, again):
        assert verdict(digest, Request("OPTIONS", DRAFT.uri, headers), 1.0) is Verdict.OK


def test_server_and_proxy_may_both_ask() -> None:
    ours, www, proxy = authenticator(DigestAccount(USERNAME, PASSWORD)), server("SHA-256"), server("MD5")
    first = ours.challenged(DRAFT, NOTHING, refusal(proxy, field="Proxy-Authenticate"))
    assert first is not None
    both = ours.challenged(DRAFT, first, refusal(www))
    assert both is not None
    request = Request("OPTIONS", DRAFT.uri, ours.authorized(DRAFT, both))
    assert verdict(www, request, 1.0) is Verdict.OK
    assert verdict(proxy, request, 1.0, field="Proxy-Authorization") is Verdict.OK


def test_what_was_taken_is_remembered_for_its_request_uri() -> None:
    ours, digest = authenticator(DigestAccount(USERNAME, PASSWORD)), server()
    assert ours.accepted(DRAFT) is NOTHING
    answered = ours.challenged(DRAFT, NOTHING, refusal(digest))
    assert answered is not None
    ours.concluded(DRAFT, answered, OPTIONS.response(486))
    assert ours.accepted(DRAFT) == answered.untried()
    assert ours.accepted(attrs.evolve(DRAFT, uri="sip:carol@example.com")) is NOTHING
    ours.concluded(DRAFT, answered, OPTIONS.response(407))
    assert ours.accepted(DRAFT) is NOTHING


def test_after_a_refusal_nothing_weaker_is_given_than_was_taken_before() -> None:
    """Who answers in the server's name would get an MD5 digest by refusing once."""
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    strong = ours.challenged(DRAFT, NOTHING, refusal(server("SHA-256")))
    assert strong is not None
    ours.concluded(DRAFT, strong, OPTIONS.response(200))
    ours.concluded(DRAFT, strong.untried(), OPTIONS.response(401))
    assert ours.accepted(DRAFT) is NOTHING
    assert ours.challenged(DRAFT, NOTHING, refusal(server("MD5"))) is None
    assert ours.challenged(DRAFT, NOTHING, refusal(server("MD5", "SHA-256"))) is not None
    other = attrs.evolve(DRAFT, uri="sip:carol@example.com", call_id="another")
    assert ours.challenged(other, NOTHING, refusal(server("MD5"))) is not None


@pytest.mark.parametrize("odd", ["?", '"', "Digest", 'Digest realm="x', "Digest realm=a, realm=b", "\x01"])
def test_one_challenge_that_cannot_be_read_spoils_none_beside_it(odd: str) -> None:
    ours, digest = authenticator(DigestAccount(USERNAME, PASSWORD)), server("SHA-256")
    good = challenge(digest, 0.0)
    for fields in ([("WWW-Authenticate", odd), *good], [*good, ("WWW-Authenticate", odd)]):
        answered = ours.challenged(DRAFT, NOTHING, OPTIONS.response(401, headers=fields))
        assert answered is not None
        request = Request("OPTIONS", DRAFT.uri, ours.authorized(DRAFT, answered))
        assert verdict(digest, request, 1.0) is Verdict.OK


def test_only_so_much_is_remembered() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    answered = ours.challenged(DRAFT, NOTHING, refusal(server()))
    assert answered is not None
    numbers = range(MAXIMUM_REMEMBERED + 1)
    drafts = [attrs.evolve(DRAFT, uri=f"sip:{number}@example.com") for number in numbers]
    for draft in drafts:
        ours.concluded(draft, answered, OPTIONS.response(200))
    remembered = [ours.accepted(draft) is not NOTHING for draft in drafts]
    assert remembered == [False] + [True] * MAXIMUM_REMEMBERED


def test_within_a_call_nothing_weaker_is_given_whatever_its_uri_becomes() -> None:
    """The Contact of a peer, to which BYE goes, is not where the INVITE went."""
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    strong = ours.challenged(DRAFT, NOTHING, refusal(server("SHA-256")))
    assert strong is not None
    ours.concluded(DRAFT, strong, OPTIONS.response(200))
    bye = attrs.evolve(DRAFT, method="BYE", uri="sip:bob@192.0.2.7")
    assert ours.challenged(bye, NOTHING, refusal(server("MD5"))) is None
    assert ours.challenged(bye, NOTHING, refusal(server("SHA-256", "MD5"))) is not None
    another = attrs.evolve(bye, call_id="another")
    assert ours.challenged(another, NOTHING, refusal(server("MD5"))) is not None


def test_only_so_many_calls_are_remembered() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    strong = ours.challenged(DRAFT, NOTHING, refusal(server("SHA-256")))
    assert strong is not None
    for number in range(MAXIMUM_CALLS + 1):
        ours.concluded(attrs.evolve(DRAFT, call_id=f"c{number}"), strong, OPTIONS.response(200))
    assert (len(ours._calls), "c0" in ours._calls) == (MAXIMUM_CALLS, False)
