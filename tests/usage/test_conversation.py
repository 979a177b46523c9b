"""One conversation: what is given once, in which order, and until when (RFC 3428)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Date, Request, SessionId, parse_uri
from sipstack.message.session_id import NULL
from sipstack.usage.conversation import (
    MAXIMUM_KEYS,
    MAXIMUM_SEEN,
    MAXIMUM_VALUE,
    MAXIMUM_WAITING,
    REPEATED,
    Conversation,
    State,
    expires_in,
    peer_of,
)

OURS, THEIRS = "a" * 32, "b" * 32
TODAY = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


def text(
    body: str, call_id: str = "", cseq: int = 1, *, sent: int | None = None, expires: object = None
) -> Request:
    """``sent``: seconds from TODAY on."""
    fields: list[tuple[str, object]] = [
        ("From", "<sip:bob@example.com>;tag=b"),
        ("To", "<sip:alice@example.com>"),
        ("Call-ID", call_id or f"call-of-{body}"),
        ("CSeq", f"{cseq} MESSAGE"),
        ("Content-Type", "text/plain"),
    ]
    if sent is not None:
        fields.append(("Date", Date(TODAY + timedelta(seconds=sent))))
    if expires is not None:
        fields.append(("Expires", expires))
    return Request("MESSAGE", "sip:alice@example.com", fields, body.encode())


def conversation(idle: float = 60.0) -> Conversation:
    return Conversation("bob@example.com", OURS, idle, 0.0)


def receive(chat: Conversation, *requests: Request, now: float = 0.0) -> list[int]:
    return [chat.receive(request, now, TODAY) for request in requests]


def read(chat: Conversation, now: float = 0.0) -> list[str]:
    found = []
    while (message := chat.read(now)) is not None:
        found.append(f"{message}{' (late)' if message.late else ''}")
    return found


# --- what comes twice ---


def test_the_same_request_counts_once_however_late_it_comes_again() -> None:
    chat, hello = conversation(), text("hello", sent=0)
    assert receive(chat, hello) == [200]
    assert receive(chat, hello, now=3600.0) == [200]
    assert read(chat) == ["hello"]


@pytest.mark.parametrize(
    ("again", "after", "given"),
    [
        (text("yes", "other", sent=0), 3600.0, 1),  # the same Date: its client has heard no answer
        (text("yes", "other", sent=1), 1.0, 2),  # another: said twice
        (text("yes", "other"), REPEATED / 2, 1),  # no Date: at once
        (text("yes", "other"), REPEATED * 2, 2),
        (text("no", "other", sent=0), 0.0, 2),
        (text("yes", "first", 2, sent=0), 0.0, 2),  # the same Call-ID counts on: said twice
    ],
)
def test_the_same_words_under_another_call_id(again: Request, after: float, given: int) -> None:
    chat = conversation(1e6)
    first = text("yes", "first", sent=0 if "Date" in again.headers else None)
    receive(chat, first)
    assert receive(chat, again, now=after) == [200]
    assert len(read(chat, after)) == given


def test_who_says_the_same_again_to_what_we_said_means_it() -> None:
    """A gateway gives each text another Call-ID and takes its Date away."""
    chat = conversation()
    receive(chat, text("1", "first"))
    chat.say(0.1)
    receive(chat, text("1", "second"), now=0.2)
    receive(chat, text("1", "third"), now=0.3)
    assert read(chat) == ["1", "1"]


def test_what_is_remembered_of_them_is_bounded() -> None:
    chat = conversation()
    first = text("0", sent=0)
    receive(chat, first)
    for number in range(1, MAXIMUM_SEEN + 1):
        receive(chat, text(str(number), sent=number))
        read(chat)
    assert (len(chat._seen), len(chat._bodies)) == (MAXIMUM_SEEN, MAXIMUM_SEEN)
    receive(chat, first)
    assert read(chat) == ["0 (late)"]  # forgotten, and yet it is told that it is old


# --- order ---


def test_texts_that_wait_are_in_the_order_of_their_cseq_or_date() -> None:
    chat = conversation()
    receive(chat, text("c", "one", 3), text("a", "one", 1), text("b", "one", 2))
    assert read(chat) == ["a", "b", "c"]
    receive(chat, text("f", sent=9), text("d", sent=7), text("e", sent=8))
    assert read(chat) == ["d", "e", "f"]


def test_without_either_they_are_as_they_came() -> None:
    chat = conversation()
    receive(chat, text("b"), text("a"), text("c", sent=-5))
    assert read(chat) == ["b", "a", "c"]


def test_one_that_comes_after_a_later_one_was_read_says_so() -> None:
    chat = conversation()
    receive(chat, text("second", "one", 2))
    assert read(chat) == ["second"]
    receive(chat, text("first", "one", 1), text("third", "one", 3))
    assert read(chat) == ["first (late)", "third"]


@pytest.mark.parametrize("seed", range(50))
def test_any_order_and_any_repetitions_give_the_texts_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    sent = [text(f"{number:02}", "one", number) for number in range(1, 21)]
    came = [*sent, *chance.sample(sent, 7)]
    chance.shuffle(came)
    chat = conversation()
    assert {*receive(chat, *came)} == {200}
    assert read(chat) == [f"{number:02}" for number in range(1, 21)]


def test_who_is_not_read_is_told_to_come_again() -> None:
    chat = conversation()
    assert receive(chat, *(text(str(n)) for n in range(MAXIMUM_WAITING + 1)))[-1] == 503
    chat.read(0.0)
    assert receive(chat, text(str(MAXIMUM_WAITING))) == [200]


# --- time ---


@pytest.mark.parametrize(
    ("sent", "expires", "left"),
    [
        (None, None, float("inf")),
        (-10, None, float("inf")),
        (None, 60, 60.0),
        (-10, 60, 50.0),
        (-60, 60, 0.0),
        (-3600, 60, -3540.0),
        (+3600, 60, 60.0),  # a clock that is ahead of ours
        (None, "soon", float("inf")),
    ],
)
def test_how_long_a_message_is_of_use(sent: int | None, expires: object, left: float) -> None:
    """RFC 3428 §4: by Expires, which counts from Date on."""
    assert expires_in(text("x", sent=sent, expires=expires), TODAY) == left


def test_one_that_is_too_old_is_taken_and_not_given() -> None:
    chat = conversation()
    assert receive(chat, text("old", sent=-100, expires=60), text("new", sent=-10, expires=60)) == [200, 200]
    assert (read(chat, 49.0), chat.expired) == (["new"], 1)


def test_one_gets_too_old_while_it_waits() -> None:
    chat = conversation()
    receive(chat, text("soon", expires=5), text("later", expires=50))
    assert (read(chat, 10.0), chat.expired) == (["later"], 1)


def test_it_is_over_when_nobody_has_said_anything_for_so_long() -> None:
    chat = conversation(60.0)
    chat.meet(None, 30.0)
    assert chat.over_at == 90.0


# --- who is who ---


def test_the_peers_uuid_is_that_of_its_latest_message() -> None:
    chat = conversation()
    chat.meet(SessionId(THEIRS), 1.0)
    assert (chat.session_id, chat.confirmed) == (f"{OURS};remote={THEIRS}", False)
    chat.meet(None, 2.0)
    chat.meet(SessionId(NULL, OURS), 2.0)  # nobody
    assert (chat.remote, chat.confirmed) == (THEIRS, False)
    chat.meet(SessionId(THEIRS, OURS), 3.0)
    assert chat.confirmed


@pytest.mark.parametrize(
    ("uri", "peer"),
    [
        ("sip:bob@Example.COM", "bob@example.com"),
        ("sips:bob@example.com:5061;transport=tcp", "bob@example.com"),
        ("sip:BOB@example.com", "BOB@example.com"),
        ("sip:example.com", "@example.com"),
        ("tel:+1-555", "tel:+1-555"),
    ],
)
def test_the_same_peer_in_other_words(uri: str, peer: str) -> None:
    assert peer_of(parse_uri(uri)) == peer


# --- the state ---


@pytest.mark.parametrize("value", [object(), b"octets", float("nan"), {1, 2}, "x" * MAXIMUM_VALUE])
def test_the_state_takes_plain_values_of_some_length(value: object) -> None:
    state = State()
    for change in (
        lambda: state.__setitem__("key", value),
        lambda: state.update(key=value),
        lambda: state.setdefault("key", value),
        lambda: state.__ior__({"key": value}),
    ):
        with pytest.raises(LocalProtocolError):
            change()
    assert state == {}


def test_the_state_has_so_many_keys() -> None:
    state = State()
    state |= {str(number): number for number in range(MAXIMUM_KEYS)}
    state["0"] = "again"
    with pytest.raises(LocalProtocolError, match="64 keys"):
        state["more"] = 1
    assert (state.setdefault("0", 7), len(state)) == ("again", MAXIMUM_KEYS)


def test_it_goes_on_in_another_process() -> None:
    chat = conversation(60.0)
    chat.meet(SessionId(THEIRS, OURS), 10.0)
    chat.state["step"] = {"menu": [1, 2]}
    record = json.loads(json.dumps(chat.record(40.0)))
    again = Conversation.of_record(record, 1000.0)
    assert (again.over_at, again.session_id, again.confirmed) == (1030.0, chat.session_id, True)
    assert again.state == {"step": {"menu": [1, 2]}}
    for_ever = Conversation.of_record(conversation(float("inf")).record(5.0), 9.0)
    assert for_ever.over_at == float("inf")


def test_a_state_that_has_grown_behind_our_back_is_not_recorded() -> None:
    chat = conversation()
    chat.state["list"] = []
    chat.state["list"].append("x" * MAXIMUM_VALUE)
    with pytest.raises(LocalProtocolError, match="'list'"):
        chat.record(0.0)


RECORD = conversation().record(0.0)


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        *({**RECORD, key: value} for key in RECORD for value in (object(), -1, "x" * 9999)),
    ],
)
def test_what_is_no_record_is_refused(record: Any) -> None:
    if isinstance(record, dict) and record and record.get("left") == -1:
        assert Conversation.of_record(record, 0.0).over_at < 0  # it is over already
    elif isinstance(record, dict) and isinstance(record.get("peer"), str) and len(record["peer"]) > 999:
        assert Conversation.of_record(record, 0.0).peer == record["peer"]
    else:
        with pytest.raises(ParseError):
            Conversation.of_record(record, 0.0)


def test_its_repr_shows_no_word() -> None:
    chat = conversation()
    receive(chat, text("secret"))
    assert repr(chat) == "<Conversation with bob@example.com heard=1 waiting=1>"
