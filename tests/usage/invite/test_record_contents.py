"""What a record holds for other processes than one like us: of a later version, and a curious one."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from sipstack.sdp.recordable import Keying
from sipstack.testing.agent import CoreAgent
from sipstack.testing.world import World
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session
from tests.simulation.pair import established
from tests.usage.invite.callers import alice_and_peer
from tests.usage.invite.test_record import a_record, through_json

# --- later versions ---

LATER: dict[str, object] = {"region": 7, "dialog": {"gruu": "sip:alice@example.com;gr=1"}}


def of_a_later_version(record: SessionRecord) -> dict[str, Any]:
    values = record.as_values()
    values["region"] = 7
    values["dialog"]["gruu"] = "sip:alice@example.com;gr=1"
    values["extensions"] = {**values["extensions"], "hologram": {"left": 60, "colour": "blue"}}
    return values


def test_keys_of_a_later_version_are_kept_and_written_back() -> None:
    values = of_a_later_version(a_record())
    record = SessionRecord.of_values(values)
    assert record.later == LATER
    assert record.as_values() == values
    assert through_json(record) == record


def test_what_a_later_version_wrote_outlives_a_process_that_does_not_know_it() -> None:
    """A rolling upgrade: the call goes from a new process to an old one, and to a new one again."""
    world = World()
    alice, _ = established(world)
    values = of_a_later_version(alice.session.record(0.0))
    alice.kill()
    old = CoreAgent(world, "alice", alice.address)
    session = old.core.resume(SessionRecord.of_values(values), world.now)
    session.dialog.local_cseq += 1
    record = session.record(world.now)
    assert (record.later, record.extensions["hologram"]) == (LATER, {"left": 60, "colour": "blue"})
    assert record.as_values()["dialog"] == {**values["dialog"], "local_cseq": 2}


def test_a_field_of_ours_is_not_replaced_by_what_is_called_a_later_one() -> None:
    record = attrs.evolve(a_record(), later={"is_caller": 7, "dialog": {"gruu": "x"}})
    assert record.as_values()["is_caller"] is True


# --- no secrets ---

KEY = b"PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
WITH_KEY = b"v=0\r\nm=audio 9 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
WITH_PASSWORD = b"v=0\r\na=fingerprint:sha-256 AA\r\na=ice-pwd:"


def established_with(description: bytes) -> Session:
    """A call in which both sides have said the same."""
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri, description)
    bob.answer(bob.request, 200, body=description)
    return alice.session


@pytest.mark.parametrize(
    ("secret", "keying"), [(WITH_KEY, Keying.SDES), (WITH_PASSWORD, Keying.DTLS)], ids=["SDES", "DTLS"]
)
def test_a_record_has_no_key_and_tells_that_there_was_one(secret: bytes, keying: Keying) -> None:
    session = established_with(secret + KEY + b"\r\n")
    assert session.exchange.local == session.exchange.remote == secret + KEY + b"\r\n"
    record = session.record(0.0)
    assert KEY.decode() not in json.dumps(record.as_values())
    assert KEY.decode() not in repr(record)
    assert (record.keying, through_json(record).keying) == (keying, keying)


def test_a_session_that_was_resumed_is_still_told_from_one_in_the_clear() -> None:
    """Its record is written again at once, before it has new keys."""
    session = established_with(WITH_KEY + KEY)
    record = session.record(0.0)
    world = World()
    heir = CoreAgent(world, "alice").core.resume(through_json(record), world.now)
    assert heir.record(0.0).keying is Keying.SDES


def test_a_record_shows_nothing_of_the_applications_data() -> None:
    record = attrs.evolve(a_record(), application={"data": "number of a card"})
    assert "card" not in repr(record)
