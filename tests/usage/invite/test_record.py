"""An established session as values, from which another process goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.core.events import Acknowledged, Ended, OfferAnswered, OfferReceived
from sipstack.dialog.dialog import Dialog
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import CallExtension, Extension, NewCall
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session
from tests.simulation.pair import alice_and_bob, established
from tests.strategies import name_addrs
from tests.usage.invite.callers import alice_and_peer, bob_and_peer, called_by_peer, called_peer

HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"


def through_json(record: SessionRecord) -> SessionRecord:
    return SessionRecord.of_values(json.loads(json.dumps(record.as_values())))


def a_record() -> SessionRecord:
    world = World()
    return established(world)[0].session.record(0.0)


# --- when there is none ---


def test_no_record_of_what_is_not_yet_a_call() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    session = bob.invitation._session
    with pytest.raises(LocalProtocolError, match="a session that is EARLY cannot be recorded"):
        session.record(0.0)


def test_no_record_of_an_early_dialog_of_ours() -> None:
    _, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    bob.answer(bob.request, 180)
    (session,) = outgoing._early.values()
    with pytest.raises(LocalProtocolError, match="a session that is EARLY cannot be recorded"):
        session.record(0.0)


def test_no_record_of_what_is_ending_or_over() -> None:
    _, bob, carol = called_by_peer()
    bob.hang_up()
    with pytest.raises(LocalProtocolError, match="a session that is CLOSING cannot be recorded"):
        bob.session.record(0.0)
    carol.answer(carol.request, 200, None)
    with pytest.raises(LocalProtocolError, match="a session that is ENDED cannot be recorded"):
        bob.session.record(0.0)


# --- what it holds ---


def test_the_record_of_either_side() -> None:
    world = World()
    alice, bob = established(world)
    mine, theirs = alice.session.record(0.0), bob.session.record(0.0)
    tags = mine.dialog.local_tag, mine.dialog.remote_tag
    assert mine == SessionRecord(
        Dialog(
            call_id=mine.dialog.call_id,
            local_tag=tags[0],
            remote_tag=tags[1],
            local=f"<sip:alice@example.com>;tag={tags[0]}",
            remote=f"<sip:bob@192.0.2.2:5060>;tag={tags[1]}",
            remote_target="sip:bob@192.0.2.2:5060",
            route_set=(),
            local_cseq=1,
            remote_cseq=None,
            early=False,
            session_id=mine.dialog.session_id,
        ),
        True,
        OFFER,
        ANSWER,
        {},
    )
    assert theirs == SessionRecord(
        Dialog(
            call_id=mine.dialog.call_id,
            local_tag=tags[1],
            remote_tag=tags[0],
            local=mine.dialog.remote,
            remote=mine.dialog.local,
            remote_target="sip:alice@192.0.2.1:5060",
            route_set=(),
            local_cseq=0,
            remote_cseq=1,
            early=False,
            session_id=theirs.dialog.session_id,
        ),
        False,
        ANSWER,
        OFFER,
        {},
    )
    assert (through_json(mine), through_json(theirs)) == (mine, theirs)


def test_a_record_does_not_change_with_the_session() -> None:
    world, bob, carol = called_by_peer()
    record = bob.session.record(0.0)
    before = record.as_values()
    carol.send(bob.address, carol.inside(carol.response, "OPTIONS", 7))
    bob.session.reoffer(HOLD, world.now)
    assert (record.as_values(), bob.session.dialog.remote_cseq, bob.session.dialog.local_cseq) == (
        before,
        7,
        1,
    )


def test_an_offer_that_is_open_is_not_part_of_it() -> None:
    """The last pair that both sides agreed on is."""
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    record = alice.session.record(0.0)
    assert (record.local, record.remote, record.dialog.local_cseq) == (OFFER, ANSWER, 2)
    carol.answer(carol.request, 200, body=HELD)
    record = alice.session.record(0.0)
    assert (record.local, record.remote) == (HOLD, HELD)
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    record = alice.session.record(0.0)
    assert (record.local, record.remote, record.dialog.remote_cseq) == (HOLD, HELD, 1)


def test_before_the_first_pair_there_is_none() -> None:
    """An INVITE without offer: ours is in the 2xx, and its answer not yet here."""
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri))
    bob.accept(OFFER)
    record = bob.session.record(0.0)
    assert (record.local, record.remote, through_json(record)) == (None, None, record)


# --- to text and back ---

octets = st.binary(max_size=40)
texts = octets.map(lambda data: data.decode("utf-8", "surrogateescape"))  # as messages are read
words = octets.map(lambda data: data.translate(None, b"\r\n\0").decode("utf-8", "surrogateescape"))
numbers = st.integers(0, 2**31 - 1)
dialogs = st.builds(
    Dialog,
    call_id=words,
    local_tag=words,
    remote_tag=words,
    local=words,
    remote=words,
    remote_target=words,
    route_set=st.lists(name_addrs.map(str), max_size=3).map(tuple),
    local_cseq=numbers,
    remote_cseq=st.none() | numbers,
    early=st.booleans(),
    secure=st.booleans(),
)
integers = st.integers(-(2**63) + 1, 2**63 - 1)
plain: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3),
    max_leaves=6,
)
pairs = st.none() | st.tuples(octets, octets)
extensions: st.SearchStrategy[dict[str, dict[str, object]]] = st.dictionaries(
    texts, st.dictionaries(texts, plain, max_size=3), max_size=3
)

laters: st.SearchStrategy[dict[str, object]] = st.just({}) | st.just({"region": 7, "dialog": {"gruu": "x"}})


@st.composite
def records(draw: st.DrawFn) -> SessionRecord:
    local, remote = draw(pairs) or (None, None)
    application, later = draw(st.dictionaries(texts, plain, max_size=2)), draw(laters)
    return SessionRecord(
        draw(dialogs), draw(st.booleans()), local, remote, draw(extensions), application, later
    )


@given(records())
def test_every_record_comes_back_equal(record: SessionRecord) -> None:
    assert through_json(record) == record


@given(plain)
def test_values_that_are_no_record(values: object) -> None:
    with pytest.raises(ParseError):
        SessionRecord.of_values(values)


@given(plain, st.sampled_from([(name,) for name in attrs.fields_dict(SessionRecord)]))
def test_a_field_of_another_type(value: object, path: tuple[str]) -> None:
    _same_or_refused(path, value)


@given(plain, st.sampled_from([("dialog", name) for name in attrs.fields_dict(Dialog)]))
def test_a_field_of_the_dialog_of_another_type(value: object, path: tuple[str, str]) -> None:
    _same_or_refused(path, value)


def _same_or_refused(path: tuple[str, ...], value: object) -> None:
    """With this value in place of what stands at ``path``, it is refused or says the same again."""
    values: dict[str, Any] = a_record().as_values()
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    try:
        record = SessionRecord.of_values(values)
    except ParseError:
        return
    assert json.dumps(record.as_values(), sort_keys=True) == json.dumps(values, sort_keys=True)


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a text for a truth": lambda values: values.update(is_caller="true"),
    "a number for a truth": lambda values: values.update(is_caller=1),
    "a number for a description": lambda values: values.update(local=7),
    "half a surrogate pair": lambda values: values.update(local="\ud800"),
    "one description of two": lambda values: values.update(local=None),
    "the other description of two": lambda values: values.update(remote=None),
    "no dialog": lambda values: values.pop("dialog"),
    "a list for a dialog": lambda values: values.update(dialog=[]),
    "no extensions": lambda values: values.pop("extensions"),
    "a list for extensions": lambda values: values.update(extensions=[]),
    "a text for the state of an extension": lambda values: values.update(extensions={"timer": "90"}),
    "no Call-ID": lambda values: values["dialog"].pop("call_id"),
    "a number for a tag": lambda values: values["dialog"].update(local_tag=7),
    "a text for the route set": lambda values: values["dialog"].update(route_set="<sip:p>"),
    "a number in the route set": lambda values: values["dialog"].update(route_set=[7]),
    "a route that is no address": lambda values: values["dialog"].update(route_set=["x"]),
    "a route with a line end": lambda values: values["dialog"].update(route_set=["<sip:p>\r\nX: y"]),
    "a line end in From": lambda values: values["dialog"].update(local="<sip:a@h>\nX: y;tag=1"),
    "a NUL in the target": lambda values: values["dialog"].update(remote_target="sip:a\0@h"),
    "a text for CSeq": lambda values: values["dialog"].update(local_cseq="1"),
    "a truth for CSeq": lambda values: values["dialog"].update(local_cseq=True),
    "a broken CSeq": lambda values: values["dialog"].update(local_cseq=1.5),
    "a negative CSeq": lambda values: values["dialog"].update(remote_cseq=-1),
    "a CSeq that is too high": lambda values: values["dialog"].update(local_cseq=2**31),
    "nothing for the local CSeq": lambda values: values["dialog"].update(local_cseq=None),
    "nothing for secure": lambda values: values["dialog"].update(secure=None),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_what_is_wrong_inside_is_refused(spoil: Callable[[dict[str, Any]], Any]) -> None:
    values = a_record().as_values()
    spoil(values)
    with pytest.raises(ParseError):
        SessionRecord.of_values(values)


# --- the call goes on ---


def moved(*, who: str = "alice") -> tuple[World, Session, CoreAgent, CoreAgent]:
    """The usual call. The process of ``who`` is killed, and another one at its address has the record: its
    session, itself, and the other side, which knows nothing of it.
    """
    world = World()
    alice, bob = established(world)
    old, other = (alice, bob) if who == "alice" else (bob, alice)
    world.run(60)
    record = json.dumps(old.session.record(0.0).as_values())
    old.kill()
    new = CoreAgent(world, old.name, old.address)
    session = new.core.resume(SessionRecord.of_values(json.loads(record)), world.now)
    return world, session, new, other


SIDES = pytest.mark.parametrize(("who", "ours", "theirs"), [("alice", 2, 1), ("bob", 1, 2)])


@SIDES
def test_the_peer_says_bye(who: str, ours: int, theirs: int) -> None:
    world, session, new, other = moved(who=who)
    other.hang_up()
    world.settle()
    assert world.ladder() == ladder(f"""
        {other.name} -> {new.name}    BYE {new.uri} [{theirs}]
        {new.name} -> {other.name}    200 OK [{theirs} BYE]
    """)
    assert (new.last(Ended).session, new.last(Ended).by, other.last(Ended).by) == (session, "remote", "local")
    assert (new.leftovers, other.leftovers) == ([], [])


@SIDES
def test_we_say_bye(who: str, ours: int, theirs: int) -> None:
    world, session, new, other = moved(who=who)
    session.hang_up(world.now)
    world.settle()
    assert world.ladder() == ladder(f"""
        {new.name} -> {other.name}    BYE {other.uri} [{ours}]
        {other.name} -> {new.name}    200 OK [{ours} BYE]
    """)
    assert (new.last(Ended).by, other.last(Ended).by) == ("local", "remote")
    assert (new.leftovers, other.leftovers) == ([], [])


@SIDES
def test_the_peer_offers_anew(who: str, ours: int, theirs: int) -> None:
    world, session, new, other = moved(who=who)
    other.session.reoffer(HOLD, world.now)
    world.run()
    assert new.last(OfferReceived).body == HOLD
    session.accept_offer(HELD, world.now)
    world.run()
    assert world.ladder() == ladder(f"""
        {other.name} -> {new.name}    INVITE {new.uri} [{theirs}]
        {new.name} -> {other.name}    200 OK [{theirs} INVITE]
        {other.name} -> {new.name}    ACK {new.uri} [{theirs}]
    """)
    assert (new.last(Acknowledged).session, other.last(OfferAnswered).body) == (session, HELD)
    assert (session.exchange.local, session.exchange.remote) == (HELD, HOLD)


@SIDES
def test_we_offer_anew_and_hang_up_then(who: str, ours: int, theirs: int) -> None:
    world, session, new, other = moved(who=who)
    session.reoffer(HOLD, world.now)
    world.run()
    other.session.accept_offer(HELD, world.now)
    world.run()
    session.hang_up(world.now)
    world.settle()
    assert world.ladder() == ladder(f"""
        {new.name} -> {other.name}    INVITE {other.uri} [{ours}]
        {other.name} -> {new.name}    200 OK [{ours} INVITE]
        {new.name} -> {other.name}    ACK {other.uri} [{ours}]
        {new.name} -> {other.name}    BYE {other.uri} [{ours + 1}]
        {other.name} -> {new.name}    200 OK [{ours + 1} BYE]
    """)
    assert new.told == ["OfferAnswered", "Ended"]
    assert (new.leftovers, other.leftovers) == ([], [])


def test_a_copy_of_a_copy() -> None:
    world, session, new, other = moved()
    session.reoffer(HOLD, world.now)
    world.run()
    other.session.accept_offer(HELD, world.now)
    world.run()
    record = through_json(session.record(0.0))
    assert (record.local, record.remote, record.dialog.local_cseq) == (HOLD, HELD, 2)
    new.kill()
    third = CoreAgent(world, "alice", new.address)
    session = third.core.resume(record, world.now)
    session.hang_up(world.now)
    world.settle()
    assert world.ladder()[-2:] == ladder("""
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [3]
        bob -> alice    200 OK [3 BYE]
    """)
    assert (third.leftovers, other.leftovers) == ([], [])


def test_a_dialog_is_resumed_once() -> None:
    world, session, new, other = moved()
    with pytest.raises(LocalProtocolError, match="the dialog is here already"):
        new.core.resume(session.record(0.0), world.now)
    other.hang_up()
    world.settle()
    assert (new.told, new.leftovers) == (["Ended"], [])


def test_a_dialog_is_not_resumed_beside_its_own_call() -> None:
    world, bob, _ = called_by_peer()
    with pytest.raises(LocalProtocolError, match="the dialog is here already"):
        bob.core.resume(bob.session.record(0.0), world.now)


def test_without_the_record_the_peer_hears_that_the_call_is_gone() -> None:
    world = World()
    alice, bob = established(world)
    alice.kill()
    CoreAgent(world, "alice", alice.address)
    bob.session.reoffer(HOLD, world.now)
    world.settle()
    assert world.ladder(by="alice") == ladder("""
        alice -> bob    481 Call/Transaction Does Not Exist [1 INVITE]
        alice -> bob    481 Call/Transaction Does Not Exist [2 BYE]
    """)
    assert (bob.last(Ended).by, bob.leftovers) == ("remote", [])


# --- extensions ---


class Countdown(CallExtension):
    """Ends nothing: it only knows how long it has still to wait."""

    name = "countdown"

    def __init__(self) -> None:
        self.restored: dict[str, object] | None = None

    def record(self, now: float) -> dict[str, object]:
        return {"left": 90.0}

    def restore(self, record: dict[str, object], now: float) -> None:
        self.restored = record
        left = record.get("left")
        self.deadline = now + left if isinstance(left, float) else NEVER


@pytest.mark.parametrize("written", [True, False])
def test_each_extension_goes_on_with_what_it_wrote(written: bool) -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    parts: list[Countdown] = []

    def begin(call: NewCall) -> Countdown:
        parts.append(Countdown())
        return parts[-1]

    def with_countdown(agent: CoreAgent) -> CoreAgent:
        agent.core.registry.add_extension(Extension("countdown", begin))
        return agent

    if written:
        with_countdown(alice)
    alice.call(bob.uri)
    world.run()
    bob.accept()
    world.run()
    record = through_json(alice.session.record(0.0))
    assert record.extensions == ({"countdown": {"left": 90.0}} if written else {})
    alice.kill()
    new = with_countdown(CoreAgent(world, "alice", alice.address))
    new.core.resume(record, world.now)
    assert parts[-1].restored == ({"left": 90.0} if written else {})
    assert new.core.deadline == (world.now + 90.0 if written else NEVER)
