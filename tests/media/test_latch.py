"""Where media is taken from and where it goes."""

from __future__ import annotations

from sipstack.media.latch import Latch

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61000)
STRANGER = ("203.0.113.66", 666)


def test_before_the_peer_told_its_address_nothing_is_sent_and_the_first_source_is_heard() -> None:
    latch = Latch()
    assert latch.accept(BEHIND_NAT)
    assert not latch.accept(STRANGER)
    assert latch.destination is None


def test_we_send_to_where_the_first_packet_came_from() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    assert latch.destination == SIGNALLED
    assert latch.accept(BEHIND_NAT)
    assert latch.destination == BEHIND_NAT


def test_a_second_source_is_not_believed() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    assert latch.accept(BEHIND_NAT)
    assert not latch.accept(STRANGER)
    assert latch.accept(BEHIND_NAT)
    assert latch.destination == BEHIND_NAT


def test_the_signalled_address_wins_over_who_came_first_and_is_final() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    assert latch.accept(STRANGER)
    assert latch.accept(SIGNALLED)
    assert not latch.accept(STRANGER)
    assert latch.destination == SIGNALLED


def test_a_new_description_with_the_same_address_changes_nothing() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    latch.accept(BEHIND_NAT)
    latch.signal(SIGNALLED)
    assert latch.destination == BEHIND_NAT


def test_a_new_address_begins_anew() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    latch.accept(BEHIND_NAT)
    latch.signal(("192.0.2.2", 5000))
    assert latch.destination == ("192.0.2.2", 5000)
    assert latch.accept(STRANGER)


def test_without_an_address_nothing_is_sent() -> None:
    latch = Latch()
    latch.signal(SIGNALLED)
    latch.signal(None)
    assert latch.destination is None
