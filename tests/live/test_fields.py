"""One header field of a valid INVITE spoiled at a time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from scapy.packet import fuzz
from scapy.volatile import CorruptedBytes, RandBin, RandNum, RandString

from tests.live.attack import attack
from tests.live.attacker import Attacker
from tests.live.sip import HeaderField, SipRequest, lines

Mutation = Callable[[HeaderField], list[HeaderField]]


def valid(peer: Attacker) -> SipRequest:
    """An INVITE with every kind of header field that a user agent looks at."""
    return peer.invite(
        ("Record-Route", f"<sip:{peer.host}:{peer.port};lr>"),
        ("Supported", "100rel, timer"),
        ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS"),
        ("Accept", "application/sdp"),
        ("Expires", "60"),
        ("Session-Expires", "1800;refresher=uac"),
        ("Min-SE", "90"),
        ("Timestamp", "54"),
        ("Subject", "fuzz"),
        ("User-Agent", "scapy"),
    )


def value(change: Callable[[bytes], object]) -> Mutation:
    """The field with another value."""
    return lambda field: [HeaderField(label=field.label, value=change(field.value))]


STRUCTURE: dict[str, Mutation] = {
    "missing": lambda field: [],
    "doubled": lambda field: [field, field],
    "empty": value(lambda old: b""),
}
OCTETS: dict[str, Mutation] = {
    "NUL": value(lambda old: old[:5] + b"\0" + old[5:]),
    "CR": value(lambda old: old[:5] + b"\r" + old[5:]),
    "LF": value(lambda old: old[:5] + b"\n" + old[5:]),
    "folded": value(lambda old: old.replace(b" ", b"\r\n ")),
    "8 bit": value(lambda old: b"\xff\xfe" + old + b"\xc3\x28"),
}
SYNTAX: dict[str, Mutation] = {
    "quote before": value(lambda old: b'"' + old),
    "quote behind": value(lambda old: old + b'"'),
    "bracket opened": value(lambda old: b"<" + old.replace(b">", b"")),
    "bracket closed": value(lambda old: old.replace(b"<", b"") + b">"),
    "comma": value(lambda old: old + b", " + old),
    "parameter": value(lambda old: old + b";tag=1;branch=2;tag=3"),
}
VOLATILE: dict[str, Mutation] = {
    "huge": value(lambda old: old + bytes(RandString(8000))),
    "number": value(lambda old: str(RandNum(-(2**70), 2**70)).encode()),
    "octets": value(lambda old: RandBin(RandNum(0, 200))),
    "corrupted": value(lambda old: CorruptedBytes(old.decode(), n=1)),
    "fuzzed": lambda field: [fuzz(HeaderField(label=field.label))],
}


def mutations(peer: Attacker, change: Mutation) -> list[tuple[str, SipRequest]]:
    """For each header field its name and an INVITE in which that field is changed."""
    mutated = []
    for label, _ in lines(valid(peer)):
        request = valid(peer)
        kept = [change(field) if field.label == label.encode() else [field] for field in request.headers]
        request.headers = [field for fields in kept for field in fields]
        mutated.append((label, request))
    return mutated


@pytest.mark.parametrize("group", [OCTETS, SYNTAX, VOLATILE], ids=["octets", "syntax", "volatile"])
async def test_a_spoiled_field_disturbs_nobody(group: dict[str, Mutation]) -> None:
    random.seed(3261)
    async with attack() as attacked:
        peer = attacked.peer()
        for change in group.values():
            await peer.send_all([request for _, request in mutations(peer, change)])
            assert await peer.is_answered()


REFUSALS: dict[str, dict[str, int | None]] = {
    "missing": {"Via": None, "From": 400, "To": 400, "Call-ID": 400, "CSeq": 400, "Contact": 400},
    "doubled": {"From": 400, "To": 400, "Call-ID": 400, "CSeq": 400, "Contact": 400},
    "empty": {"Via": None, "From": 400, "To": 400, "Call-ID": 400, "CSeq": 400, "Contact": 400}
    | {"Content-Length": 400, "Accept": 406, "Content-Type": 415},
}
"""The status of the refusal by spoiled field; None where there is nobody to answer to. All others get 200."""


async def test_what_is_needed_is_refused_with_its_status_and_what_is_not_is_ignored() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        for kind, expected in REFUSALS.items():
            before = attacked.core.counters.malformed
            mutated = mutations(peer, STRUCTURE[kind])
            await peer.send_all([request for _, request in mutated])
            answerable = [(label, request) for label, request in mutated if expected.get(label, 200)]
            statuses = {label: await peer.status(request) for label, request in answerable}
            refused = {label: status for label, status in statuses.items() if status != 200}
            assert refused == {label: status for label, status in expected.items() if status}
            bad = sum(status in (None, 400) for status in expected.values())
            assert attacked.core.counters.malformed - before == bad
