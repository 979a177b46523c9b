"""Server nonces: authentic, of limited life, and counted in a bounded table."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sipstack.message.nonce import ELSEWHERE, SKEW, WINDOW, Nonces

SECRET = b"0123456789abcdef"


def swap(text: str, index: int) -> str:
    """``text`` with another hexadecimal digit at ``index``."""
    return text[:index] + ("0" if text[index] != "0" else "1") + text[index + 1 :]


@pytest.mark.parametrize("index", range(52))
def test_a_nonce_with_any_digit_changed_is_not_ours(index: int) -> None:
    nonces = Nonces(SECRET, 300.0)
    nonce = nonces.issue(1000.0)
    assert len(nonce) == 52
    assert not nonces.is_live(swap(nonce, index), 1000.0)


@pytest.mark.parametrize(
    "nonce", ["", "x", "84f1c1ae6cbe5ua9c8e88dfa3ecm3459", "0" * 52, "0" * 5000, "ä\udcff" * 40]
)
def test_what_others_made_is_not_ours(nonce: str) -> None:
    assert not Nonces(SECRET, 300.0).is_live(nonce, 0.0)


def test_a_nonce_of_another_secret_is_not_ours() -> None:
    other = Nonces(b"another secret of the server", 300.0)
    assert not Nonces(SECRET, 300.0).is_live(other.issue(1000.0), 1000.0)


def test_a_nonce_lives_as_long_as_it_should() -> None:
    nonces = Nonces(SECRET, 300.0)
    nonce = nonces.issue(1000.5)
    assert [nonces.is_live(nonce, now) for now in (1000.5, 1300.5, 1300.502, 9999.0)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_nonce_from_the_future_is_dead() -> None:
    nonces = Nonces(SECRET, 300.0)
    assert not nonces.is_live(nonces.issue(1000.0), 999.0)


def test_a_binding_has_to_be_repeated() -> None:
    nonces = Nonces(SECRET, 300.0)
    nonce = nonces.issue(0.0, "192.0.2.1")
    assert [nonces.is_live(nonce, 0.0, binding) for binding in ("192.0.2.1", "192.0.2.2", "")] == [
        True,
        False,
        False,
    ]


def test_nonces_of_one_moment_differ() -> None:
    nonces = Nonces(SECRET, 300.0)
    assert len({nonces.issue(7.0) for _ in range(1000)}) == 1000


def test_servers_with_one_secret_accept_each_others_nonces() -> None:
    assert Nonces(SECRET, 300.0).is_live(Nonces(SECRET, 300.0).issue(5.0), 6.0)


def test_a_count_is_good_once() -> None:
    """RFC 7616 §3.4: the client counts up. Requests overtake one another on the way, a replay stays one."""
    nonces = Nonces(SECRET, 300.0)
    nonce = nonces.issue(0.0)
    counts = {0: "", 1: "1", 2: "2", 9: "9", 8: "8", 10: "10"}
    taken = [str(nc) if nonces.count(nonce, nc) else "" for nc in counts]
    assert taken == [*counts.values()]
    assert [nonces.count(nonce, nc) for nc in counts] == [False] * len(counts)


def test_a_count_far_behind_the_highest_may_be_a_replay() -> None:
    nonces = Nonces(SECRET, 300.0)
    nonce = nonces.issue(0.0)
    assert nonces.count(nonce, 1)
    assert nonces.count(nonce, 0xFFFFFFFF)
    assert [nonces.count(nonce, 0xFFFFFFFF - behind) for behind in (WINDOW, WINDOW - 1, 0)] == [
        False,
        True,
        False,
    ]
    assert [nonces.count(nonce, nc) for nc in (1, 2, -1)] == [False] * 3


@pytest.mark.parametrize("seed", range(20))
def test_no_count_is_ever_good_twice(seed: int) -> None:
    rng, nonces = random.Random(seed), Nonces(SECRET, 300.0)
    nonce = nonces.issue(0.0)
    taken = Counter(nc for nc in (rng.randint(0, 120) for _ in range(2_000)) if nonces.count(nonce, nc))
    assert taken.total() > WINDOW
    assert set(taken.values()) == {1}


def test_a_nonce_that_the_full_table_forgot_cannot_be_replayed() -> None:
    nonces = Nonces(SECRET, 300.0, table_size=2)
    issued = [nonces.issue(0.0) for _ in range(4)]
    for nonce in issued[:2]:
        assert nonces.count(nonce, 1)
    assert nonces.count(issued[0], 2)  # used again: now the second one is the least recently used
    assert nonces.count(issued[2], 1)
    assert [nonces.is_live(nonce, 0.0) for nonce in issued] == [True, False, True, True]
    assert repr(nonces) == "<Nonces 2 in use>"


def test_an_unused_nonce_as_old_as_a_forgotten_one_expires_with_it() -> None:
    nonces = Nonces(SECRET, 300.0, table_size=1)
    old, used, young = nonces.issue(0.0), nonces.issue(0.0), nonces.issue(0.0)
    assert nonces.count(used, 1)
    assert nonces.count(young, 1)
    assert [nonces.is_live(nonce, 0.0) for nonce in (old, used, young)] == [False, False, True]


@pytest.mark.parametrize("secret", [b"", b"secret", bytes(15)])
def test_a_secret_that_can_be_guessed_is_none(secret: bytes) -> None:
    with pytest.raises(ValueError, match="16 random octets"):
        Nonces(secret, 300.0)


# --- several servers with one secret ---


def servers() -> tuple[Nonces, Nonces]:
    """Their clocks differ: what they have in common is the moment in which the secret was made."""
    one = Nonces(SECRET, 300.0, issuer="00000001", epoch=1000.0)
    return one, Nonces(SECRET, 300.0, issuer="00000002", epoch=5_000_000.0)


def test_a_nonce_of_one_server_is_good_at_the_other_for_its_first_request() -> None:
    one, other = servers()
    nonce = one.issue(1010.0, "192.0.2.1")
    assert other.is_live(nonce, 5_000_011.0, "192.0.2.1")
    assert not other.is_live(nonce, 5_000_011.0, "192.0.2.2")
    assert other.count(nonce, 1)
    assert not other.count(nonce, 1)
    assert not other.count(nonce, 2)
    assert one.count(nonce, 1)  # what it cannot know: see below for how long


def test_what_one_server_has_counted_beyond_the_first_the_other_never_takes() -> None:
    one, other = servers()
    nonce = one.issue(1010.0)
    assert [one.count(nonce, nc) for nc in (1, 2, 3)] == [True] * 3
    assert not other.count(nonce, 2)
    assert not other.count(nonce, 4)


@pytest.mark.parametrize(
    ("age", "good"),
    [(-SKEW - 0.1, False), (-SKEW + 0.1, True), (ELSEWHERE - 0.1, True), (ELSEWHERE + 0.1, False)],
)
def test_a_nonce_of_another_server_is_good_for_a_short_while(age: float, good: bool) -> None:
    one, other = servers()
    nonce = one.issue(1010.0)
    assert other.is_live(nonce, 5_000_010.0 + age) is good
    assert one.is_live(nonce, 1010.0 + max(age, 0.0))


def test_a_lifetime_that_is_shorter_counts_for_all_servers() -> None:
    one = Nonces(SECRET, 5.0, issuer="00000001")
    nonce = Nonces(SECRET, 5.0, issuer="00000002").issue(1000.0)
    assert one.is_live(nonce, 1004.0)
    assert not one.is_live(nonce, 1006.0)


def test_the_issuer_in_a_nonce_cannot_be_changed() -> None:
    one, other = servers()
    nonce = one.issue(1010.0)
    forged = nonce.replace("00000001", "00000002", 1) if nonce.count("00000001") == 1 else None
    forged = forged or nonce[:20] + "00000002" + nonce[28:]
    assert forged != nonce
    assert not other.is_live(forged, 5_000_011.0)
    assert not one.is_live(forged, 1011.0)


def test_a_server_that_was_started_again_takes_its_own_nonces_like_those_of_another() -> None:
    before = Nonces(SECRET, 300.0, issuer="00000001")
    nonce = before.issue(1000.0)
    assert before.count(nonce, 1)
    assert before.count(nonce, 2)
    after = Nonces(SECRET, 300.0, issuer="00000003")
    assert after.is_live(nonce, 1010.0)
    assert not after.count(nonce, 2)  # the replay of the second
    assert not after.is_live(nonce, 1000.0 + ELSEWHERE + 1)
