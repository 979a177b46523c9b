"""Identifiers are given out once: to one thread, and to one process."""

from __future__ import annotations

import functools
import json
import os
import random
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sipstack.identifiers import DRAWN, Identifiers

THREADS = 8
EACH = 500


forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
# Python 3.12 warns of a fork beside threads, which a test before these may have left
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def several(identifiers: Identifiers, count: int = 50) -> list[str]:
    """So many of each kind that fills messages."""
    kinds = (identifiers.tag, identifiers.branch, identifiers.call_id, identifiers.cnonce)
    return [make() for make in kinds for _ in range(count)]


def drawn_by_a_child(draw: Callable[[], list[str]]) -> list[str]:
    """The result of ``draw`` in a process forked from this one."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:  # whatever happens, the child must not go on with the tests
        try:
            os.write(writable, json.dumps(draw()).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with open(readable, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    drawn: list[str] = json.loads(text)
    return drawn


@forking
@pytest.mark.parametrize("before", [0, 1, DRAWN // 16])
def test_parent_and_child_draw_different_identifiers(before: int) -> None:
    identifiers = Identifiers()
    for _ in range(before):
        identifiers.tag()
    theirs = drawn_by_a_child(lambda: several(identifiers))
    ours = several(identifiers)
    assert len(theirs) == len(ours) == 200
    assert set(theirs) & set(ours) == set()


@forking
def test_two_children_draw_different_identifiers() -> None:
    identifiers = Identifiers()
    identifiers.tag()
    one, other = (drawn_by_a_child(lambda: several(identifiers)) for _ in range(2))
    assert len(set(one + other)) == 400


@forking
def test_a_seeded_child_goes_on_as_the_seed_says() -> None:
    identifiers, same = (Identifiers(random.Random(7)) for _ in range(2))
    identifiers.tag()
    same.tag()
    one, other = (drawn_by_a_child(functools.partial(several, each)) for each in (identifiers, same))
    assert one == other


def test_no_two_threads_draw_the_same() -> None:
    identifiers = Identifiers()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            drawn = [pool.submit(several, identifiers, EACH) for _ in range(THREADS)]
            texts = [text for each in drawn for text in each.result()]
    finally:
        sys.setswitchinterval(interval)
    assert len(texts) == THREADS * EACH * 4
    assert len(set(texts)) == len(texts)


def test_a_seed_makes_a_run_reproducible() -> None:
    one, other, third = (several(Identifiers(random.Random(seed))) for seed in (1, 1, 2))
    assert one == other
    assert set(one) & set(third) == set()


def test_a_uuid_is_a_random_one_without_hyphens() -> None:
    """RFC 9562 §5.4: version 4, of the usual variant."""
    for _ in range(50):
        text = Identifiers().uuid()
        found = uuid.UUID(hex=text)
        assert (found.version, found.variant, found.hex) == (4, uuid.RFC_4122, text)
