"""Which Session-ID each message of ours has (RFC 7989 §6)."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.dialog.dialog import Dialog
from sipstack.message import Request, Response, SessionId
from sipstack.message.session_id import NULL
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

THEIRS = "c0ffee00" * 4
ANOTHER = "decade00" * 4


def field(message: Request | Response) -> SessionId:
    assert len(message.headers.raw("Session-ID")) == 1
    found = message.headers.typed("Session-ID")
    assert isinstance(found, SessionId)
    return found


def alice_and_peer(**configuration: Any) -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    alice = CoreAgent(world, "alice", **configuration)
    return world, alice, ScriptedPeer(world, "bob")


def own(uuid: str, remote: str = NULL) -> tuple[str, str]:
    return "Session-ID", f"{uuid};remote={remote}"


# --- our requests ---


def test_a_call_of_ours_has_one_uuid_and_learns_the_others() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    ours = field(invite).local
    assert field(invite) == SessionId(ours, NULL)
    assert (ours[12], ours[16]) == ("4", "a")  # a random UUID (RFC 9562 §5.4)
    bob.answer(invite, 200, headers=[own(THEIRS, ours)], body=ANSWER)
    assert field(bob.request) == SessionId(ours, THEIRS)  # the ACK
    alice.session.hang_up(world.now)
    assert (bob.request.method, field(bob.request)) == ("BYE", SessionId(ours, THEIRS))


def test_a_peer_without_it_is_null() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    ours = field(bob.request).local
    bob.answer(bob.request, 200, body=ANSWER)
    assert field(bob.request) == SessionId(ours, NULL)


@pytest.mark.parametrize("odd", ["nonsense", "0" * 31, f"{THEIRS};remote=x"])
def test_one_that_cannot_be_read_is_as_good_as_none(odd: str) -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    ours = field(bob.request).local
    bob.answer(bob.request, 200, headers=[("Session-ID", odd)], body=ANSWER)
    assert field(bob.request) == SessionId(ours, NULL)


def test_a_cancel_and_the_ack_of_a_refusal_repeat_that_of_the_invite() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180, headers=[own(THEIRS)])
    outgoing.cancel(world.now)
    assert (bob.request.method, field(bob.request)) == ("CANCEL", field(invite))
    bob.answer(invite, 487, headers=[own(THEIRS)])
    assert (bob.request.method, field(bob.request)) == ("ACK", field(invite))


def test_the_second_fork_is_another_peer_of_the_same_session() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180, to_tag="one", headers=[own(THEIRS)])
    bob.answer(invite, 200, to_tag="two", headers=[own(ANOTHER)])
    assert field(bob.request) == SessionId(field(invite).local, ANOTHER)


def test_another_peer_joined_in_the_middle_is_followed() -> None:
    """§6: an intermediary has transferred the other end."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    ours = field(invite).local
    bob.answer(invite, 200, headers=[own(THEIRS, ours)], body=ANSWER)
    bob.send(alice.address, bob.back("MOO", 1, headers=[own(ANOTHER, ours)]))
    assert field(bob.response) == SessionId(ours, ANOTHER)
    alice.session.hang_up(world.now)
    assert field(bob.request) == SessionId(ours, ANOTHER)


def test_single_requests_are_sessions_of_their_own() -> None:
    world, alice, bob = alice_and_peer()
    for _ in range(2):
        alice.core.standalone("OPTIONS", bob.uri).start(world.now)
        world.run()
    first, second = (field(request) for request in bob.requests)
    assert first.local != second.local
    assert (first.remote, second.remote) == (NULL, NULL)


def test_the_application_may_go_on_with_a_session() -> None:
    """§7: a back-to-back user agent passes on that of the caller."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri, headers=(("Session-ID", THEIRS),))  # without remote, as RFC 7329 wrote it
    assert bob.request.headers.raw("Session-ID") == (THEIRS,)
    bob.answer(bob.request, 200, headers=[own(ANOTHER, THEIRS)], body=ANSWER)
    assert field(bob.request) == SessionId(THEIRS, ANOTHER)


# --- our responses ---


def test_all_responses_to_an_invite_have_the_same() -> None:
    world, alice, bob = alice_and_peer()
    bob.send(alice.address, bob.write("INVITE", alice.uri, headers=[own(THEIRS)], body=b"v=0"))
    alice.invitation.progress(180, world.now)
    session = alice.accept()
    found = {field(response) for response in bob.responses}
    assert [response.status for response in bob.responses] == [180, 200]
    (answer,) = found
    assert answer.remote == THEIRS
    assert session.dialog.session_id == str(answer)


def test_100_and_the_answers_to_a_cancel_are_of_the_invites_session() -> None:
    world, alice, bob = alice_and_peer()
    invite = bob.write("INVITE", alice.uri, headers=[own(THEIRS)], body=b"v=0")
    bob.send(alice.address, invite)
    world.run(0.3)
    bob.send(alice.address, bob.write("CANCEL", alice.uri, branch=invite.via.branch or ""))
    assert [response.status for response in bob.responses] == [100, 200, 487]
    (answer,) = {field(response) for response in bob.responses}
    assert answer.remote == THEIRS
    assert answer.local != NULL


def test_a_response_without_a_session_has_no_uuid_of_ours() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 486, headers=[own(ANOTHER)])
    stray = bob.write("BYE", alice.uri, to=f"<{alice.uri}>;tag=gone", headers=[own(THEIRS)])
    bob.send(alice.address, stray)
    assert (bob.response.status, field(bob.response)) == (481, SessionId(NULL, THEIRS))


# --- without ---


def test_without_it_nothing_is_written_and_what_comes_is_passed_over() -> None:
    world, alice, bob = alice_and_peer(session_ids=False)
    alice.call(bob.uri)
    bob.answer(bob.request, 200, headers=[own(THEIRS)], body=ANSWER)
    bob.send(alice.address, bob.write("OPTIONS", alice.uri, headers=[own(THEIRS)]))
    alice.session.hang_up(world.now)
    sent = [*bob.requests, *bob.responses]
    assert [message.headers.raw("Session-ID") for message in sent] == [()] * 4


def test_a_recorded_session_goes_on_under_its_identifier() -> None:
    dialog = Dialog("c", "a", "b", "<sip:a@h>;tag=a", "<sip:b@h>;tag=b", "sip:b@h", (), 1, None, False)
    assert dialog.draft(2, "BYE").session_id == ""
    dialog.session_id = f"{THEIRS};remote={ANOTHER}"
    assert dialog.draft(2, "BYE").write("via", "sip:a@h").headers.get("Session-ID") == dialog.session_id
