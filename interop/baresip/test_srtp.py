"""SRTP with keys in SDP (SDES): baresip offers and answers RTP/SAVP, RTP/SAVPF, and keys beside RTP/AVP.

baresip 1.0 goes on with the first key of a call whatever a re-INVITE says, and its echo does not survive a
hold: both are tested with Asterisk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from interop.asterisk.listening import answering, next_call
from interop.baresip.conftest import Start
from interop.baresip.ours import Ours, sounding
from sipstack import CallRejected

SDES = "SDES-SRTP AES_CM_128_HMAC_SHA1_80"
MODULES = ("g711", "srtp")
FREQUENCY = 440  # Hz


@pytest.mark.parametrize(
    ("theirs", "ours", "protocol", "told"),
    [
        ("srtp-mand", "sdes", "RTP/SAVP", SDES),
        ("srtp-mand", ("none", "sdes"), "RTP/SAVP", SDES),
        ("srtp-mandf", "sdes", "RTP/SAVPF", SDES),
        ("srtp", "sdes", "RTP/AVP", SDES),
        ("srtp", "opportunistic", "RTP/AVP", SDES),
        ("srtp", "none", "RTP/AVP", None),
    ],
    ids=str,
)
async def test_baresip_calls_us(
    baresip: Start, tmp_path: Path, theirs: str, ours: str | Sequence[str], protocol: str, told: str | None
) -> None:
    phone = baresip(MODULES, f";mediaenc={theirs}")
    we = Ours(phone, ours)
    async with we.agent as ua, answering(ua) as calls:
        await phone.tell("dial", ua.contact)
        call = await next_call(calls)
        assert (we.protocol, call.security) == (protocol, told)
        async with sounding(call, tmp_path):
            await call.resume()  # a re-INVITE that changes nothing: it keeps its keys and counters
        # its first report goes out before it has begun to protect them
        assert (call.statistics.packets_unproved <= 1, call.statistics.packets_replayed) == (True, 0)
        await phone.tell("hangup")
        assert (await call.ended()).by == "remote"


@pytest.mark.parametrize(
    ("ours", "theirs", "protocol", "told"),
    [
        ("sdes", "srtp-mand", "RTP/SAVP", SDES),
        ("sdes", "srtp", "RTP/SAVP", SDES),
        ("opportunistic", "srtp", "RTP/AVP", SDES),
    ],
)
async def test_we_call_baresip(
    baresip: Start, tmp_path: Path, ours: str, theirs: str, protocol: str, told: str
) -> None:
    phone = baresip(MODULES, f";mediaenc={theirs}")
    we = Ours(phone, ours)
    async with we.agent as ua, ua.call(phone.uri()) as call:
        assert (we.protocol, call.security) == (protocol, told)
        async with sounding(call, tmp_path):
            await call.resume()  # a re-INVITE that changes nothing: it keeps its keys and counters
        assert call.statistics.packets_unproved == call.statistics.packets_replayed == 0


async def test_who_has_no_srtp_gets_plain_rtp_if_it_is_optional(baresip: Start, tmp_path: Path) -> None:
    phone = baresip(("g711",), "")
    async with Ours(phone, "opportunistic").agent as ua, ua.call(phone.uri()) as call:
        assert call.security is None
        async with sounding(call, tmp_path):
            await asyncio.sleep(0.2)


async def test_baresip_that_wants_srtp_refuses_plain_rtp(baresip: Start) -> None:
    phone = baresip(MODULES, ";mediaenc=srtp-mand")
    async with Ours(phone, "none").agent as ua:
        with pytest.raises(CallRejected) as refusal:
            async with ua.call(phone.uri()):
                pass
    assert refusal.value.status == 488
