"""Which challenges are answered, and what the next request carries (RFC 3261 §22)."""

from __future__ import annotations

import random

import attrs

from sipstack.core.authenticator import MAXIMUM_REMEMBERED, NOTHING, Authenticator
from sipstack.dialog.draft import Draft
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response
from sipstack.message.digest import DigestAccount
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
    assert authenticator(None).challenged(NOTHING, refusal(server())) is None


def test_a_refusal_without_a_readable_challenge_is_final() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    for fields in ([], [("WWW-Authenticate", "?")], [("Proxy-Authenticate", '"')]):
        assert ours.challenged(NOTHING, OPTIONS.response(401, headers=fields)) is None


def test_an_account_of_another_realm_is_no_help() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD, realm="example.net"))
    assert ours.challenged(NOTHING, refusal(server())) is None


def test_credentials_go_before_the_other_fields_and_replace_older_ones() -> None:
    ours, digest = authenticator(DigestAccount(USERNAME, PASSWORD)), server("SHA-256")
    answered = ours.challenged(NOTHING, refusal(digest))
    assert answered is not None
    first = ours.authorized(DRAFT, answered)
    again = ours.authorized(Draft("OPTIONS", DRAFT.uri, "", "", "c", 2, headers=first), answered)
    assert [name for name, _ in again.items()] == ["Authorization", "Subject"]
    for headers in (first, again):
        assert verdict(digest, Request("OPTIONS", DRAFT.uri, headers), 1.0) is Verdict.OK


def test_server_and_proxy_may_both_ask() -> None:
    ours, www, proxy = authenticator(DigestAccount(USERNAME, PASSWORD)), server("SHA-256"), server("MD5")
    first = ours.challenged(NOTHING, refusal(proxy, field="Proxy-Authenticate"))
    assert first is not None
    both = ours.challenged(first, refusal(www))
    assert both is not None
    request = Request("OPTIONS", DRAFT.uri, ours.authorized(DRAFT, both))
    assert verdict(www, request, 1.0) is Verdict.OK
    assert verdict(proxy, request, 1.0, field="Proxy-Authorization") is Verdict.OK


def test_what_was_taken_is_remembered_for_its_request_uri() -> None:
    ours, digest = authenticator(DigestAccount(USERNAME, PASSWORD)), server()
    assert ours.accepted(DRAFT) is NOTHING
    answered = ours.challenged(NOTHING, refusal(digest))
    assert answered is not None
    ours.concluded(DRAFT, answered, 486)
    assert ours.accepted(DRAFT) == answered.untried()
    assert ours.accepted(attrs.evolve(DRAFT, uri="sip:carol@example.com")) is NOTHING
    ours.concluded(DRAFT, answered, 407)
    assert ours.accepted(DRAFT) is NOTHING


def test_only_so_much_is_remembered() -> None:
    ours = authenticator(DigestAccount(USERNAME, PASSWORD))
    answered = ours.challenged(NOTHING, refusal(server()))
    assert answered is not None
    numbers = range(MAXIMUM_REMEMBERED + 1)
    drafts = [attrs.evolve(DRAFT, uri=f"sip:{number}@example.com") for number in numbers]
    for draft in drafts:
        ours.concluded(draft, answered, 200)
    remembered = [ours.accepted(draft) is not NOTHING for draft in drafts]
    assert remembered == [False] + [True] * MAXIMUM_REMEMBERED
