"""Seals of sessions, as an attacker sees them: what is changed, cut, moved or invented opens nowhere."""

from __future__ import annotations

import contextlib
import os
import random
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError, StoreError
from sipstack.store.key_ring import key_id, read_keys
from sipstack.store.packing import LARGEST, pack, unpack
from sipstack.store.sealed import FORM, HEAD, LONGEST, Sealed

KEYS = [bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))]
DIALOG = ("call@example.com", "ours", "theirs")
VALUES = {
    "dialog": {"remote_target": "sip:carol@192.0.2.3"},
    "remote": "v=0",
    "application": {"data": "s3cret"},
}
ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
NOW = 1_800_000_000.0
FROZEN = "ILjRzQcs2L5vn2KsTAnCYNYWxMuWG-snKky8v1feB8xuDleDOeJobn67t-B-vhkfGbBXLj94DU7n2BbtbvGfFn1DGjc"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def seals(*keys: bytes, node: int = 0, clock: Clock | None = None) -> Sealed:
    return Sealed(list(keys) or KEYS[:1], node, clock=clock or Clock(), random=random.Random(node).randbytes)


def a_seal(sealed: Sealed) -> str:
    user = sealed.seal(DIALOG, VALUES, 3600.0, 480)
    assert user
    return user


# --- what it is ---


def test_what_was_sealed_comes_back_in_the_same_dialog() -> None:
    opened = seals(node=1).open(a_seal(seals()), DIALOG)
    assert opened is not None
    assert (opened.values, opened.age) == (VALUES, 0.0)


def test_it_has_no_character_that_a_user_part_escapes() -> None:
    """RFC 3261 §25.1: alphanum, and of mark the two that no peer takes for anything."""
    assert set(a_seal(seals())) <= ALPHABET


def test_nothing_of_it_can_be_read_and_none_is_like_another() -> None:
    sealed = seals()
    one, other = a_seal(sealed), a_seal(sealed)
    assert "s3cret" not in one
    assert "carol" not in one
    assert one[4:] != other[4:]
    assert sum(a == b for a, b in zip(one[4:], other[4:], strict=True)) < len(one) / 8


def test_of_a_call_without_a_peer_only_call_id_and_our_tag_count() -> None:
    user = seals().begin("call@example.com", "ours", 60.0, 480)
    assert len(user) == 50
    opened = seals(node=1).open(user, DIALOG)
    assert opened is not None
    assert opened.values is None
    assert seals().open(user, ("call@example.com", "others", "theirs")) is None


def test_what_does_not_fit_is_not_sealed() -> None:
    sealed = seals()
    length = len(a_seal(sealed))
    assert len(sealed.seal(DIALOG, VALUES, 3600.0, length)) == length
    assert sealed.seal(DIALOG, VALUES, 3600.0, length - 1) == ""
    assert sealed.begin("call", "ours", 60.0, 49) == ""


def test_a_seal_of_this_version_is_opened_by_the_next() -> None:
    """Another dictionary or layout needs another FORM: calls are up while a node gets a new version."""
    opened = seals().open(FROZEN, DIALOG)
    assert opened is not None
    assert opened.values == VALUES


# --- the attacker ---


def test_no_bit_can_be_changed() -> None:
    sealed = seals()
    user = a_seal(sealed)
    for place in range(len(user)):
        for bit in range(8):
            changed = user[:place] + chr(ord(user[place]) ^ 1 << bit) + user[place + 1 :]
            assert sealed.open(changed, DIALOG) is None


def test_no_character_can_be_replaced_by_another_of_the_alphabet() -> None:
    """The last one has bits that base64 does not use: there is one text for one seal all the same."""
    sealed = seals()
    for length in (480, 479, 478):  # all three lengths of the last group
        user = sealed.seal(DIALOG, VALUES | {"x": "y" * (480 - length)}, 3600.0, 512)
        for place in (*range(22), len(user) - 2, len(user) - 1):
            for letter in ALPHABET - {user[place]}:
                assert sealed.open(user[:place] + letter + user[place + 1 :], DIALOG) is None


def test_nothing_can_be_cut_off_or_added() -> None:
    sealed = seals()
    user = a_seal(sealed)
    for length in range(len(user)):
        assert sealed.open(user[:length], DIALOG) is None
        assert sealed.open(user[length + 1 :], DIALOG) is None
    for more in ("A", "AA", "AAA", "AAAA", "=", "==", "%41", "\n", " ", "é", "\udcff"):
        assert sealed.open(user + more, DIALOG) is None
        assert sealed.open(more + user, DIALOG) is None


def test_two_seals_cannot_be_put_together() -> None:
    sealed = seals()
    one, other = a_seal(sealed), a_seal(sealed)
    for place in range(1, len(one)):
        mixed = one[:place] + other[place:]
        assert sealed.open(mixed, DIALOG) is None or mixed in (one, other)


@pytest.mark.parametrize(
    "dialog",
    [
        ("call2@example.com", "ours", "theirs"),
        ("call@example.com", "Ours", "theirs"),
        ("call@example.com", "ours", "other"),
        ("call@example.com", "ours", ""),
        ("call@example.com", "theirs", "ours"),
        ("call@example.comours", "", "theirs"),
        ("call@example.com4:ours", "theirs", ""),
        ("call@example.com", "ourstheirs", ""),
        ("", "", ""),
    ],
)
def test_it_cannot_be_moved_to_another_dialog(dialog: tuple[str, str, str]) -> None:
    assert seals().open(a_seal(seals()), dialog) is None


def test_the_seal_of_a_call_that_only_began_is_none_of_its_state_and_the_other_way_round() -> None:
    sealed = seals()
    begun = sealed.begin(DIALOG[0], DIALOG[1], 60.0, 480)
    assert sealed.open("EA" + begun[2:], DIALOG) is None
    assert sealed.open("EQ" + a_seal(sealed)[2:], DIALOG) is None


def test_a_call_id_that_is_no_text_is_bound_like_any_other() -> None:
    dialog = ("call\udcff", "ours", "theirs")
    user = seals().seal(dialog, VALUES, 60.0, 480)
    assert seals().open(user, dialog) is not None
    assert seals().open(user, ("call?", "ours", "theirs")) is None


@given(st.text(max_size=LONGEST + 20))
def test_garbage_is_nothing(text: str) -> None:
    assert seals().open(text, DIALOG) is None


@given(st.binary(min_size=20, max_size=380), st.booleans())
def test_garbage_that_names_our_key_is_nothing(data: bytes, begun: bool) -> None:
    user = urlsafe_b64encode(bytes((FORM + begun,)) + key_id(KEYS[0]) + data).rstrip(b"=").decode()
    assert seals().open(user, DIALOG) is None


def test_an_attempt_is_over_in_no_time() -> None:
    """The longest there is, a thousand times: an attempt costs us less than to read its request."""
    sealed = seals()
    user = sealed.seal(DIALOG, {"noise": random.Random(1).randbytes(200).hex()}, 60.0, 512)
    assert len(user) > 300
    false, long = user[:-1] + ("A" if user[-1] != "A" else "B"), "A" * 65_536
    begun = time.perf_counter()
    for _ in range(1000):
        assert sealed.open(false, DIALOG) is None
        assert sealed.open(long, DIALOG) is None
    assert time.perf_counter() - begun < 1.0


# --- keys ---


def test_the_first_key_seals_and_all_of_them_open() -> None:
    old, both, new = seals(KEYS[0]), seals(KEYS[1], KEYS[0]), seals(KEYS[1])
    assert both.open(a_seal(old), DIALOG) is not None
    assert new.open(a_seal(both), DIALOG) is not None
    assert old.open(a_seal(both), DIALOG) is None
    assert new.open(a_seal(old), DIALOG) is None


def test_keys_are_changed_while_it_runs() -> None:
    sealed = seals(KEYS[0])
    before = a_seal(sealed)
    sealed.rotate([KEYS[1], KEYS[0]])
    assert sealed.open(before, DIALOG) is not None
    assert seals(KEYS[1]).open(a_seal(sealed), DIALOG) is not None
    with pytest.raises(StoreError):
        sealed.rotate([b"short"])
    assert sealed.open(before, DIALOG) is not None
    sealed.rotate([KEYS[1]])
    assert sealed.open(before, DIALOG) is None


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_come_from_a_file_of_their_owner(tmp_path: Path) -> None:
    path = key_file(tmp_path, f"# of November\n{KEYS[1].hex()}\n\n{KEYS[0].hex()}  # of October\n")
    assert read_keys(path) == [KEYS[1], KEYS[0]]
    sealed = Sealed(path, clock=Clock())
    assert sealed.open(a_seal(seals(KEYS[0])), DIALOG) is not None
    assert Sealed(str(path), clock=Clock()).open(a_seal(sealed), DIALOG) is not None


@pytest.mark.skipif(os.name != "posix", reason="elsewhere files have no such modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(StoreError, match="chmod 600"):
        Sealed(key_file(tmp_path, KEYS[0].hex(), mode))


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "secret", KEYS[0].hex() + "00", KEYS[0].hex()[:-1] + "g"]
)
def test_a_file_of_something_else_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoreError) as refused:
        Sealed(key_file(tmp_path, text))
    assert "openssl rand -hex 32" in str(refused.value)
    assert text == "" or text not in str(refused.value)


@pytest.mark.parametrize(
    "keys", [[], [b""], [b"x" * 31], [b"x" * 33], [KEYS[0], KEYS[0]], b"x" * 32, ["x" * 32]]
)
def test_what_is_no_list_of_keys_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(StoreError):
        Sealed(keys)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Sealed(tmp_path / "none")


def test_too_many_keys_and_a_node_beyond_the_last_are_refused() -> None:
    with pytest.raises(StoreError, match="16 keys"):
        Sealed([bytes((number,)) * 32 for number in range(17)])
    for node in (-1, 64):
        with pytest.raises(StoreError, match="from 0 to 63"):
            Sealed(KEYS, node)


def test_keys_are_shown_nowhere() -> None:
    sealed = Sealed(KEYS)
    for text in (repr(sealed), str(sealed), repr(sealed._ring)):
        assert not any(key.hex()[:8] in text or repr(key)[2:10] in text for key in KEYS)
    for key in KEYS:
        with pytest.raises(StoreError) as refused:
            Sealed([key, key])
        assert key.hex()[:8] not in str(refused.value)


# --- time ---


def test_it_is_good_for_its_time_and_tells_its_age() -> None:
    clock = Clock()
    sealed = seals(clock=clock)
    user = a_seal(sealed)
    clock.now += 3600
    opened = sealed.open(user, DIALOG)
    assert opened is not None
    assert opened.age == 3600.0
    clock.now += 17  # counted in sixteenths of a minute or so
    assert sealed.open(user, DIALOG) is None


def test_a_clock_that_was_put_back_makes_nothing_younger_than_new() -> None:
    clock = Clock()
    sealed = seals(clock=clock)
    user = a_seal(sealed)
    clock.now -= 86_400
    opened = sealed.open(user, DIALOG)
    assert opened is not None
    assert opened.age == 0.0


# --- as few octets as possible ---

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_packed_is_unpacked(value: object) -> None:
    assert unpack(pack(value)) == value


@given(st.binary(max_size=200))
def test_what_is_not_packed_is_no_record(octets: bytes) -> None:
    with contextlib.suppress(ParseError):  # and nothing else
        assert len(repr(unpack(octets))) <= LARGEST


def test_what_is_not_plain_is_told() -> None:
    loop: list[object] = []
    loop.append(loop)
    for value in (object(), {1, 2}, {"since": NOW, "who": ("a", object())}, loop):
        with pytest.raises(LocalProtocolError, match="not plain"):
            pack(value)


def test_a_record_that_inflates_without_end_is_refused() -> None:
    bomb = pack("0" * (LARGEST + 1))
    assert len(bomb) < 200
    with pytest.raises(ParseError):
        unpack(bomb)
    with pytest.raises(ParseError):
        unpack(pack(VALUES)[:-1])
    with pytest.raises(ParseError):
        unpack(pack(VALUES) + b"\0")


def test_the_head_is_what_its_length_says() -> None:
    assert HEAD == 1 + 2 + 12
