"""Spoiled answers to calls of ours: each ends in a call or an error of ours, and nothing stays behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from sipstack import RequestFailed, TransactionTimeout, UserAgent
from sipstack.errors import RemoteProtocolError
from tests.live.attack import TIMERS, attack
from tests.live.attacker import SDP, Attacker, respond
from tests.live.sip import SipRequest, SipResponse, header_fields
from tests.live.test_fields import STRUCTURE, SYNTAX, VOLATILE, Mutation

OUTCOMES = (RemoteProtocolError, RequestFailed, TransactionTimeout)


class Spoiler:
    """Answers each INVITE with one field changed: that of the next INVITE has the next field changed."""

    def __init__(self, peer: Attacker, change: Mutation, status: int = 200) -> None:
        self._peer = peer
        self._change = change
        self._status = status
        self._turns: dict[bytes, int] = {}

    def __call__(self, request: SipRequest) -> SipResponse | None:
        if request.method in (b"ACK", b"BYE", b"CANCEL"):
            return respond(request)
        more = header_fields(
            ("Contact", f"<sip:peer@{self._peer.host}:{self._peer.port}>"),
            ("Record-Route", f"<sip:{self._peer.host}:{self._peer.port};lr>"),
            ("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'),
            ("Retry-After", "5"),
            ("Content-Type", "application/sdp"),
        )
        answer = respond(request, self._status, "spoiled", tuple(more))
        assert answer is not None
        answer.body = SDP.format(host=self._peer.host, port=9)
        for field in answer.headers:
            if field.label == b"To":
                field.value += b";tag=spoiled"
            elif field.label == b"Content-Length":
                field.value = str(len(answer.body)).encode()
        call_id = next(field.value for field in request.headers if field.label == b"Call-ID")
        turn = self._turns.setdefault(call_id, len(self._turns)) % len(answer.headers)
        answer.headers[turn : turn + 1] = self._change(answer.headers[turn])
        return answer


AT_ONCE = 12
"""Calls at a time: both sides run in one loop, and an answer must come while somebody waits for it."""


async def call(agent: UserAgent, target: str, turn: asyncio.Semaphore) -> str:
    """Place a call when it is our turn, and leave it. Returns how it ended."""
    async with turn:
        try:
            async with agent.call(target, ring_timeout=TIMERS.timeout / 2):
                return "answered"
        except OUTCOMES as error:
            return type(error).__name__


FIELDS = 11
"""Header fields in an answer of the Spoiler."""


@pytest.mark.parametrize(
    ("groups", "unspoiled"),
    [
        ({200: STRUCTURE | SYNTAX}, {"answered"}),
        (
            {183: {"corrupted": VOLATILE["corrupted"]}, 401: VOLATILE},
            {"AuthenticationFailed", "TransactionTimeout"},
        ),
    ],
    ids=["200", "183 and 401"],
)
async def test_a_spoiled_answer_ends_the_call_one_way_or_the_other(
    groups: dict[int, dict[str, Mutation]], unspoiled: set[str]
) -> None:
    random.seed(8)
    async with attack() as attacked:
        turn = asyncio.Semaphore(AT_ONCE)
        calls = []
        for status, group in groups.items():
            for change in group.values():
                peer = attacked.peer()
                peer.answer = Spoiler(peer, change, status)
                target = f"sip:peer@{peer.host}:{peer.port}"
                calls += [call(attacked.agent, target, turn) for _ in range(FIELDS)]
        outcomes = set(await asyncio.gather(*calls))
        assert unspoiled <= outcomes
        assert outcomes <= unspoiled | {"RemoteProtocolError", "TransactionTimeout"}
