"""Where media is taken from and where it goes."""

from __future__ import annotations

import pytest

from sipstack.errors import MediaError
from sipstack.media.peer_address import (
    CANDIDATES,
    PROBATION,
    SILENCE,
    STRAGGLERS,
    Address,
    Latch,
    PeerAddress,
)
from sipstack.media.session import AudioSession

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61000)
STRANGER = ("203.0.113.66", 666)


ON_SIGNALLED_HOST = ("192.0.2.1", 4002)
ON_TRUSTED_HOST = ("198.51.100.1", 5000)
ELSEWHERE = ("192.0.2.99", 4000)


class Heard:
    """A peer's address, and its time."""

    def __init__(self, signalled: Address | None = SIGNALLED, trusted: str | None = None) -> None:
        self.peer = PeerAddress(trusted)
        self.peer.signal(signalled)
        self.now = 0.0
        self._numbers: dict[Address, int] = {}

    def from_(self, *sources: Address, times: int = 1) -> str:
        """Packets of these, one after the other within 20 ms, so many times: y for each that is accepted."""
        heard = ""
        for _ in range(times):
            self.now += 0.02
            for source in sources:
                number = self._numbers[source] = (self._numbers.get(source, 65_533) + 1) & 0xFFFF
                heard += "ny"[self.peer.accept(source, number, self.now)]
        return heard

    def wait(self, seconds: float) -> None:
        self.now += seconds


ON_PROBATION = "n" * (PROBATION - 1)


def test_the_signalled_address_is_believed_at_once() -> None:
    assert Heard().from_(SIGNALLED, times=2) == "yy"


def test_so_is_any_port_of_its_host_and_of_the_host_that_signals() -> None:
    """A NAT in front of the phone changes the port; signalling and media come from the same address."""
    assert Heard().from_(ON_SIGNALLED_HOST) == "y"
    assert Heard(trusted=ON_TRUSTED_HOST[0]).from_(ON_TRUSTED_HOST) == "y"
    assert Heard(None, trusted=ON_TRUSTED_HOST[0]).from_(ON_TRUSTED_HOST) == "y"


def test_another_host_must_send_several_packets_in_a_row() -> None:
    heard = Heard()
    assert heard.peer.destination == SIGNALLED
    assert heard.from_(BEHIND_NAT, times=6) == ON_PROBATION + "yyy"
    assert heard.peer.destination == BEHIND_NAT


def test_before_the_peer_told_its_address_nothing_is_sent_and_the_first_source_is_heard() -> None:
    heard = Heard(None)
    assert heard.from_(BEHIND_NAT, times=4) == ON_PROBATION + "y"
    assert heard.peer.destination is None
    heard.peer.signal(SIGNALLED)
    assert heard.from_(BEHIND_NAT) == "y"
    assert heard.peer.destination == BEHIND_NAT


@pytest.mark.parametrize("stray", [STRANGER, BEHIND_NAT])
def test_one_stray_packet_before_the_first_of_the_peer_takes_nothing(stray: Address) -> None:
    heard = Heard()
    assert heard.from_(stray) == "n"
    assert heard.peer.destination == SIGNALLED
    assert heard.from_(SIGNALLED, stray, times=50) == "yn" * 50
    assert heard.peer.destination == SIGNALLED


def test_spraying_from_many_ports_takes_nothing() -> None:
    heard = Heard()
    for port in range(10_000, 20_000):
        assert heard.from_((STRANGER[0], port)) == "n"
    assert heard.peer.destination == SIGNALLED
    assert heard.from_(BEHIND_NAT, times=4) == ON_PROBATION + "y"


def test_packets_that_do_not_follow_each_other_prove_nothing() -> None:
    peer = PeerAddress()
    peer.signal(SIGNALLED)
    assert not any(peer.accept(STRANGER, number, number / 1000) for number in range(0, 60_000, 7))


def test_candidates_are_bounded() -> None:
    heard = Heard()
    others = [(STRANGER[0], port) for port in range(2, CANDIDATES + 2)]
    assert heard.from_(*others, times=3) == "n" * CANDIDATES * 3


def test_nobody_else_is_believed_while_the_peer_is_heard() -> None:
    heard = Heard()
    heard.from_(BEHIND_NAT, times=4)
    assert heard.from_(BEHIND_NAT, STRANGER, ON_SIGNALLED_HOST, times=200) == "ynn" * 200
    assert heard.peer.destination == BEHIND_NAT


def test_a_nat_that_changes_its_port_is_followed_when_the_old_one_is_silent() -> None:
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.wait(SILENCE - 0.1)
    moved = (BEHIND_NAT[0], 61001)
    assert heard.from_(moved, times=8) == "nnnnyyyy"
    assert heard.peer.destination == moved


def test_the_signalled_address_wins_over_who_came_first() -> None:
    heard = Heard()
    heard.from_(STRANGER, times=10)
    assert heard.from_(SIGNALLED, STRANGER, times=20) == "yn" * 20
    assert heard.peer.destination == SIGNALLED


def test_a_new_description_with_the_same_address_lets_another_source_in() -> None:
    """c= names an address behind a NAT, RTP comes from :61000; a re-INVITE, and RTP from :61001."""
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.peer.signal(SIGNALLED)
    assert heard.peer.destination == BEHIND_NAT
    moved = (BEHIND_NAT[0], 61001)
    assert heard.from_(moved, times=5) == ON_PROBATION + "yy"
    assert heard.peer.destination == moved


def test_a_new_description_with_the_same_address_lets_nobody_in_while_the_peer_is_heard() -> None:
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.peer.signal(SIGNALLED)
    assert heard.from_(BEHIND_NAT, STRANGER, times=100) == "yn" * 100


def test_a_new_address_begins_anew_and_the_last_packets_of_the_old_place_do_not_count() -> None:
    """183 and then 200 from two places, both of them behind NATs."""
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.peer.signal(ELSEWHERE)
    assert heard.peer.destination == ELSEWHERE
    assert heard.from_(BEHIND_NAT, times=STRAGGLERS - 1) == "n" * (STRAGGLERS - 1)
    assert heard.peer.destination == ELSEWHERE
    second = ("203.0.113.9", 7000)
    assert heard.from_(second, times=5) == ON_PROBATION + "yy"


def test_a_peer_that_changes_only_its_private_address_is_heard_again_after_a_while() -> None:
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.peer.signal(ELSEWHERE)
    assert heard.from_(BEHIND_NAT, times=STRAGGLERS) == "n" * (STRAGGLERS - 1) + "y"


def test_without_an_address_nothing_is_sent_and_the_source_is_remembered() -> None:
    """A hold by c=0.0.0.0, and its end."""
    heard = Heard()
    heard.from_(BEHIND_NAT, times=10)
    heard.peer.signal(None)
    assert heard.peer.destination is None
    heard.peer.signal(SIGNALLED)
    assert heard.peer.destination == BEHIND_NAT


# --- latching by choice ---


def latching(latch: Latch) -> Heard:
    heard = Heard()
    heard.peer = PeerAddress(latch=latch)
    heard.peer.signal(SIGNALLED)
    return heard


def test_off_takes_nothing_but_what_was_signalled() -> None:
    heard = latching("off")
    assert heard.from_(BEHIND_NAT, times=50) == "n" * 50
    assert heard.from_(ON_SIGNALLED_HOST, times=50) == "n" * 50
    assert heard.from_(SIGNALLED) == "y"
    assert heard.peer.destination == SIGNALLED


def test_once_takes_the_first_source_and_no_other() -> None:
    heard = latching("once")
    assert heard.from_(BEHIND_NAT) == "y"
    heard.wait(10)
    assert heard.from_(STRANGER, times=50) == "n" * 50
    assert heard.from_(SIGNALLED, times=2) == "nn"
    assert heard.peer.destination == BEHIND_NAT


def test_once_takes_the_first_source_after_each_description() -> None:
    heard = latching("once")
    heard.from_(BEHIND_NAT)
    heard.peer.signal(SIGNALLED)
    assert heard.peer.destination == BEHIND_NAT  # until another one comes
    assert heard.from_(ELSEWHERE, BEHIND_NAT) == "yn"
    assert heard.peer.destination == ELSEWHERE


@pytest.mark.parametrize("latch", ["off", "once"])
def test_before_the_description_nobody_is_believed(latch: Latch) -> None:
    heard = Heard(None)
    heard.peer = PeerAddress(latch=latch)
    assert heard.from_(STRANGER, times=50) == "n" * 50


def test_what_is_no_latch() -> None:
    with pytest.raises(MediaError, match="off, once, auto"):
        AudioSession("127.0.0.1", latch="never")  # type: ignore[arg-type]
