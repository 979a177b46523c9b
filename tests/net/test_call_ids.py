"""Which worker a message belongs to."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.identifiers import Identifiers
from sipstack.net.call_ids import OwnCallIds, Partition, call_id_of

KEY = bytes(16)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nCall-ID: ",
        b"OPTIONS sip:a SIP/2.0\r\nCall-ID:\r\nVia: x\r\n\r\n"[:40],
        b"OPTIONS sip:Call-ID: SIP/2.0\r\nX-Call-ID: a\r\n\r\n",
    ],
)
def test_what_has_no_call_id_belongs_to_whom_it_reached(octets: bytes) -> None:
    assert call_id_of(octets) in (None, b"Via:")


@pytest.mark.parametrize(
    "field",
    [
        "Call-ID: a@b",
        "Call-ID:a@b",
        "Call-ID : a@b",
        "call-id: a@b",
        "CALL-ID:\ta@b",
        "i: a@b",
        "I:a@b",
        "Call-ID:\r\n a@b",
        "Call-ID:  a@b \t",
        "i:\r\n\t a@b",
        "Call-ID: \r\n a@b",
    ],
)
@pytest.mark.parametrize("first", ["INVITE sip:bob@b SIP/2.0", "SIP/2.0 180 Ringing"])
def test_the_call_id_is_found_as_it_may_be_written(field: str, first: str) -> None:
    message = f"{first}\r\nSubject: i: no\r\n{field}\r\nCSeq: 1 INVITE\r\n\r\nCall-ID: c\r\n"
    assert call_id_of(message.encode()) == b"a@b"


def test_a_body_that_looks_like_a_header_does_not_count() -> None:
    message = b"INVITE sip:b SIP/2.0\r\nCall-ID: mine\r\n\r\nCall-ID: another\r\ni: third\r\n"
    assert call_id_of(message) == b"mine"


@given(st.binary(max_size=300))
def test_whatever_comes_is_looked_at_and_nothing_is_raised(octets: bytes) -> None:
    found = call_id_of(octets)
    assert found is None or found in octets


def test_calls_are_dealt_out_evenly_and_not_as_a_stranger_would_reckon() -> None:
    names = [f"call-{number}".encode() for number in range(4000)]
    here, there = Partition(4, KEY), Partition(4, b"another key of ours"[:16])
    owners = [here.owner(name) for name in names]
    assert all(900 < count < 1100 for count in Counter(owners).values())
    assert 800 < sum(mine == there.owner(name) for mine, name in zip(owners, names, strict=True)) < 1200


@pytest.mark.parametrize("number", range(3))
def test_a_worker_begins_only_calls_that_are_its_own(number: int) -> None:
    partition = Partition(3, KEY)
    ours = OwnCallIds(random.Random(1), partition, number)  # noqa: S311
    drawn = [ours.call_id() for _ in range(100)]
    assert {partition.owner(each.encode()) for each in drawn} == {number}
    assert len(set(drawn)) == 100
    assert len(drawn[0]) == len(Identifiers().call_id())
