"""Which conversation a text belongs to, and who has to go when there are too many."""

from __future__ import annotations

from sipstack.message import Request, SessionId
from sipstack.message.session_id import NULL
from sipstack.usage.conversation import Conversation
from sipstack.usage.conversations import Conversations, session_id_in

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
THEIRS, OTHERS = "b" * 32, "c" * 32


def text(sender: str, local: str = NULL, remote: str = NULL) -> Request:
    fields = [("From", f"<sip:{sender}@example.com>;tag=b"), ("Session-ID", SessionId(local, remote))]
    return Request("MESSAGE", "sip:alice@example.com", fields)


def opened(table: Conversations, peer: str, local: str, *, fresh: bool = False) -> Conversation:
    conversation = Conversation(f"{peer}@example.com", local, 60.0, 0.0)
    table.add(conversation, fresh=fresh)
    return conversation


def test_by_our_uuid_whoever_says_it_is() -> None:
    table = Conversations()
    bob, carol = opened(table, "bob", ONE), opened(table, "carol", TWO)
    assert table.find(text("bob", THEIRS, TWO)) is carol
    assert table.find(text("somebody", THEIRS, ONE)) is bob


def test_else_by_the_sender() -> None:
    table = Conversations()
    bob = opened(table, "bob", ONE)
    assert table.find(text("bob")) is bob
    assert table.find(text("bob", THEIRS)) is bob
    assert table.find(text("bob", THEIRS, THREE)) is bob  # one that we have forgotten
    assert table.find(text("dave", THEIRS)) is None


def test_of_several_with_one_peer_by_its_uuid_else_the_latest() -> None:
    table = Conversations()
    first, second = opened(table, "bob", ONE), opened(table, "bob", TWO)
    first.meet(SessionId(THEIRS, ONE), 0.0)
    assert table.find(text("bob", THEIRS)) is first
    assert table.find(text("bob", OTHERS)) is second
    assert table.find(text("bob")) is second


def test_a_peer_that_tells_its_conversations_apart_begins_another() -> None:
    table = Conversations()
    bob = opened(table, "bob", ONE)
    bob.meet(SessionId(THEIRS, ONE), 0.0)
    assert table.find(text("bob", OTHERS)) is None


def test_the_oldest_stranger_with_a_single_thing_to_say_may_be_replaced() -> None:
    table = Conversations()
    assert not table.replaceable
    opened(table, "ours", THREE)
    first, second = opened(table, "bob", ONE, fresh=True), opened(table, "carol", TWO, fresh=True)
    assert table.replaceable is first
    table.settle(first)
    assert table.replaceable is second
    table.remove(second)
    assert not table.replaceable
    assert len(table) == 2


def test_what_is_over_is_forgotten() -> None:
    table = Conversations()
    bob = opened(table, "bob", ONE, fresh=True)
    table.remove(bob)
    table.remove(bob)
    assert (len(table), table.find(text("bob", THEIRS, ONE)), table._by_peer) == (0, None, {})


def test_a_session_id_that_cannot_be_read_is_as_good_as_none() -> None:
    assert session_id_in(Request("MESSAGE", "sip:a@h", [("Session-ID", "?")])) is None
