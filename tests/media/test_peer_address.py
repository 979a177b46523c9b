"""Where media is taken from and where it goes."""

from __future__ import annotations

from sipstack.media.peer_address import PeerAddress

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61000)
STRANGER = ("203.0.113.66", 666)


def test_before_the_peer_told_its_address_nothing_is_sent_and_the_first_source_is_heard() -> None:
    peer = PeerAddress()
    assert peer.accept(BEHIND_NAT)
    assert not peer.accept(STRANGER)
    assert peer.destination is None


def test_we_send_to_where_the_first_packet_came_from() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    assert peer.destination == SIGNALLED
    assert peer.accept(BEHIND_NAT)
    assert peer.destination == BEHIND_NAT


def test_a_second_source_is_not_believed() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    assert peer.accept(BEHIND_NAT)
    assert not peer.accept(STRANGER)
    assert peer.accept(BEHIND_NAT)
    assert peer.destination == BEHIND_NAT


def test_the_signalled_address_wins_over_who_came_first_and_is_final() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    assert peer.accept(STRANGER)
    assert peer.accept(SIGNALLED)
    assert not peer.accept(STRANGER)
    assert peer.destination == SIGNALLED


def test_a_new_description_with_the_same_address_changes_nothing() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    peer.accept(BEHIND_NAT)
    peer.signal(SIGNALLED)
    assert peer.destination == BEHIND_NAT


def test_a_new_address_begins_anew() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    peer.accept(BEHIND_NAT)
    peer.signal(("192.0.2.2", 5000))
    assert peer.destination == ("192.0.2.2", 5000)
    assert peer.accept(STRANGER)


def test_without_an_address_nothing_is_sent() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    peer.signal(None)
    assert peer.destination is None
