"""Requests inside a dialog and how they are written (RFC 3261 §8.1.2, §12.2.1.1)."""

from __future__ import annotations

import attrs
import pytest

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.errors import LocalProtocolError
from sipstack.message import Request
from tests.dialog.examples import ROUTES, answer, invite

VIA, CONTACT = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK9", "sip:alice@192.0.2.1:5060"

LOOSE = ("<sip:p1.example.com;lr>", "<sip:p2.example.com>")
STRICT = ("<sip:p1.example.com>", "<sip:p2.example.com;lr>")


def dialog(*routes: str) -> Dialog:
    """Alice's, with bob, over ``routes``."""
    return Dialog.as_client(invite(), answer(record_routes=routes[::-1]))


def written(
    method: str, uri: str, cseq: int, *more: tuple[str, str], routes: tuple[str, ...] = (), body: bytes = b""
) -> Request:
    return Request(
        method,
        uri,
        [
            ("Via", VIA),
            *(("Route", route) for route in routes),
            ("Max-Forwards", "70"),
            ("From", '"Alice" <sip:alice@example.com>;tag=a1'),
            ("To", "Bob <sip:bob@example.com>;tag=b1"),
            ("Call-ID", "call-1"),
            ("CSeq", f"{cseq} {method}"),
            *more,
        ],
        body,
    )


def test_a_request_goes_to_the_remote_target() -> None:
    draft = dialog().draft(8, "BYE")
    assert draft.next_hop == "sip:bob@192.0.2.2:5060"
    assert draft.write(VIA, CONTACT) == written("BYE", "sip:bob@192.0.2.2:5060", 8)


def test_loose_routes_are_copied_and_the_first_is_the_next_hop() -> None:
    """§12.2.1.1: "the UAC MUST place the remote target URI into the Request-URI"."""
    draft = dialog(*LOOSE).draft(8, "BYE")
    assert draft.next_hop == LOOSE[0]
    assert draft.write(VIA, CONTACT) == written("BYE", "sip:bob@192.0.2.2:5060", 8, routes=LOOSE)


def test_a_strict_router_takes_the_request_uri_and_the_remote_target_goes_last() -> None:
    """§12.2.1.1; §8.1.2: "the procedures MUST be applied to the Request-URI of the request"."""
    draft = dialog(*STRICT).draft(8, "BYE")
    assert draft.next_hop == "sip:p1.example.com"
    routes = ("<sip:p2.example.com;lr>", "<sip:bob@192.0.2.2:5060>")
    assert draft.write(VIA, CONTACT) == written("BYE", "sip:p1.example.com", 8, routes=routes)


def test_a_lone_strict_router_is_the_next_hop_too() -> None:
    draft = dialog("<sip:p1.example.com>").draft(8, "BYE")
    assert draft.next_hop == "sip:p1.example.com"
    routes = ("<sip:bob@192.0.2.2:5060>",)
    assert draft.write(VIA, CONTACT) == written("BYE", "sip:p1.example.com", 8, routes=routes)


def test_the_cseq_rises_by_one_and_the_ack_repeats_that_of_its_invite() -> None:
    talk = dialog()
    invite_cseq = talk.next_cseq()
    drafts = [talk.draft(invite_cseq, "INVITE"), talk.draft(invite_cseq, "ACK")]
    drafts.append(talk.draft(talk.next_cseq(), "BYE"))
    assert [(draft.method, draft.cseq) for draft in drafts] == [("INVITE", 8), ("ACK", 8), ("BYE", 9)]


def test_the_first_cseq_of_the_callee_is_1() -> None:
    callee = Dialog.as_server(invite(), "b1")
    assert callee.next_cseq() == 1


def test_a_target_refresh_request_carries_our_contact() -> None:
    draft = dialog().draft(8, "INVITE", (("Content-Type", "application/sdp"),), b"v=0", contact=True)
    more = [("Contact", f"<{CONTACT}>"), ("Content-Type", "application/sdp")]
    assert draft.write(VIA, CONTACT) == written("INVITE", "sip:bob@192.0.2.2:5060", 8, *more, body=b"v=0")


def test_the_contact_may_have_parameters() -> None:
    draft = Draft("REGISTER", "sip:example.com", "<sip:a@h>;tag=1", "<sip:a@h>", "c", 1, contact=";q=1")
    assert draft.write(VIA, CONTACT).headers.get("Contact") == f"<{CONTACT}>;q=1"


def test_the_route_set_is_that_of_the_proxies_seen_from_here() -> None:
    callee = Dialog.as_server(invite(record_routes=ROUTES), "b1")
    assert callee.draft(8, "BYE").write(VIA, CONTACT).headers.raw("Route") == ROUTES


EVIL = "<sip:x@h>\r\nEvil: 1"


@pytest.mark.parametrize(
    "draft",
    [
        Draft("INVITE", EVIL, "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1),
        Draft("INVITE", "sip:b@h", EVIL, "<sip:b@h>", "c", 1),
        Draft("INVITE", "sip:b@h", "<sip:a@h>;tag=1", EVIL, "c", 1),
        Draft("INVITE", "sip:b@h", "<sip:a@h>;tag=1", "<sip:b@h>", EVIL, 1),
        Draft("INVITE", "sip:b@h", "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1, (EVIL,)),
        Draft("INVITE", "sip:b@h", "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1, contact=EVIL),
        Draft(EVIL, "sip:b@h", "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1),
    ],
)
def test_no_part_of_a_draft_can_add_a_line_of_its_own(draft: Draft) -> None:
    with pytest.raises(LocalProtocolError):
        draft.write(VIA, CONTACT)


def test_neither_can_what_comes_with_its_flow_nor_its_header_fields() -> None:
    draft = Draft("INVITE", "sip:b@h", "<sip:a@h>;tag=1", "<sip:b@h>", "c", 1, contact="")
    for via, contact in ((EVIL, CONTACT), (VIA, EVIL)):
        with pytest.raises(LocalProtocolError):
            draft.write(via, contact)
    with pytest.raises(LocalProtocolError):
        attrs.evolve(draft, headers=(("Subject", EVIL),))
