"""Values that an application keeps with a call."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack import Invitation, LocalProtocolError
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from sipstack.ua.call_data import LARGEST, CallData, no_change

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: len(repr(value)) < 500)


def is_text(value: object) -> bool:
    """Whether it can be written as UTF-8: surrogates cannot."""
    return "\\ud" not in ascii(value)


@given(st.dictionaries(st.text().filter(is_text), PLAIN.filter(is_text), max_size=4))
def test_it_is_a_dictionary_of_plain_values(values: dict[str, Any]) -> None:
    data = CallData({}, no_change)
    for key, value in values.items():
        data[key] = value
    assert dict(data) == values
    for key in values:
        del data[key]
    assert len(data) == 0


def test_each_change_is_told_and_nothing_else_is() -> None:
    changes = []
    data = CallData({}, lambda: changes.append(1))
    data["ticket"] = 4711
    data.update(language="de", path=["menu"])
    assert len(changes) == 3
    data["path"].append("a copy, which is nobody's")
    assert data == {"ticket": 4711, "language": "de", "path": ["menu"]}
    assert len(changes) == 3
    with pytest.raises(KeyError):
        del data["nothing"]
    assert data.pop("ticket") == 4711
    assert len(changes) == 4


@pytest.mark.parametrize("value", [b"octets", object(), {1, 2}, math.nan, math.inf, "\ud800"])
def test_what_is_no_plain_value_is_refused(value: object) -> None:
    data = CallData({}, no_change)
    data["before"] = 1
    with pytest.raises(LocalProtocolError, match="takes texts, numbers, True, False, None"):
        data["key"] = value
    assert dict(data) == {"before": 1}


def test_what_is_nested_too_deep_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(LocalProtocolError, match="takes texts, numbers"):
        CallData({}, no_change)["key"] = value


def test_keys_are_texts() -> None:
    with pytest.raises(LocalProtocolError, match="the keys of call.data are texts, not int"):
        CallData({}, no_change)[7] = "seven"  # type: ignore[index]


def test_all_together_are_bounded() -> None:
    data = CallData({}, no_change)
    data["half"] = "x" * (LARGEST // 2)
    with pytest.raises(LocalProtocolError, match=f"would take {LARGEST + 21} octets, above {LARGEST}: keep"):
        data["more"] = "x" * (LARGEST // 2)
    assert list(data) == ["half"]
    with pytest.raises(LocalProtocolError, match="above"):
        data["umlauts"] = "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * (LARGEST // 4)


@pytest.mark.parametrize("kept", ["no JSON", "[1]", 7, "[" * 100_000])
def test_what_is_no_data_of_ours_is_passed_over(kept: object) -> None:
    data = CallData({"data": kept}, no_change)
    assert dict(data) == {}
    data["key"] = "value"
    assert dict(data) == {"key": "value"}


def test_it_shows_no_value() -> None:
    assert repr(CallData({"data": '{"name":"secret"}'}, no_change)) == "<CallData of 1 values>"


# --- with a call ---


@pytest.mark.virtual_time
async def test_it_goes_from_the_invitation_and_the_invite_into_the_call_and_on_no_wire(world: World) -> None:
    store = MemoryStore()

    async def answer(invitation: Invitation) -> None:
        invitation.data["callee"] = "needle"
        async with invitation.accept() as call:
            assert dict(call.data) == {"callee": "needle"}
            call.data["more"] = ["needle"]
            assert dict(invitation.data) == {"callee": "needle", "more": ["needle"]}
            await call.ended()

    async with (
        world.user_agent("alice", sessions=store, node="alice") as alice,
        world.user_agent("bob", sessions=MemoryStore()) as bob,
        bob.serving(answer),
    ):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            outgoing.data["caller"] = "needle"
            call = await outgoing.answered()
            assert dict(call.data) == {"caller": "needle"}
            outgoing.data["later"] = None
            assert dict(call.data) == {"caller": "needle", "later": None}
            (kept,) = await alice.sessions()
            assert kept.data == call.data
        assert len(store) == 0
        call.data["too late"] = True
        assert len(store) == 0
    assert not [each for each in world.sent if b"needle" in each.data]


@pytest.mark.virtual_time
async def test_it_needs_no_store(world: World) -> None:
    async def answer(invitation: Invitation) -> None:
        invitation.data["a"] = 1
        async with invitation.accept() as call:
            call.data["b"] = 2
            assert dict(call.data) == {"a": 1, "b": 2}
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answer):
        async with alice.call("sip:bob@bob.test") as call:
            assert dict(call.data) == {}
            call.data["c"] = 3
            assert dict(call.data) == {"c": 3}
    assert world.leftovers == []
