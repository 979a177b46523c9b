"""The names that ``sipstack.testing`` offers, and its documentation."""

from __future__ import annotations

import re

import pytest

from sipstack import testing
from sipstack.testing import CoreAgent, ScriptedPeer, World


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Wrld'"):
        testing.Wrld  # noqa: B018


def test_every_name_is_there_and_says_what_it_is() -> None:
    assert testing.__all__ == sorted(testing._HOMES)
    undocumented = [name for name in testing.__all__ if not (getattr(testing, name).__doc__ or "").strip()]
    assert undocumented == []


def test_the_documentation_names_no_others() -> None:
    shown = set(re.findall(r"``([A-Z]\w+)", testing.__doc__ or ""))
    assert shown <= set(testing.__all__)
    assert {"World", "CoreAgent", "ScriptedPeer"} <= shown


def test_the_call_without_an_event_loop_is_as_documented() -> None:
    world = World()
    alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol")
    alice.call(carol.uri)
    carol.answer(carol.request, 180)
    assert alice.told == ["Progressed"]
