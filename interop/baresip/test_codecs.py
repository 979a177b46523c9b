"""Opus and G.722 with baresip, which sends back what it hears: what comes has been coded twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.asterisk.listening import answering, next_call
from interop.baresip.conftest import Start
from interop.baresip.ours import HAS_ADDRESS, Ours, sounding

CODECS = [("opus", "opus"), ("g722", "G722")]


@pytest.mark.parametrize(("module", "codec"), CODECS)
async def test_we_call_baresip(baresip: Start, tmp_path: Path, module: str, codec: str) -> None:
    phone = baresip((module, "g711"), "")
    we = Ours(phone, "none", codecs=(codec, "PCMU"))
    async with we.agent as ua, ua.call(phone.uri()) as call:
        async with sounding(call, tmp_path):
            assert call.audio.codec == codec


@pytest.mark.parametrize(("module", "codec"), CODECS)
async def test_baresip_calls_us(baresip: Start, tmp_path: Path, module: str, codec: str) -> None:
    phone = baresip((module, "g711"), "")
    we = Ours(phone, "none", codecs=("PCMU", codec))
    async with we.agent as ua, answering(ua) as calls:
        await phone.tell("dial", ua.contact)
        call = await next_call(calls)
        async with sounding(call, tmp_path):
            assert call.audio.codec == codec  # which it names first
        await phone.tell("hangup")
        assert (await call.ended()).by == "remote"


@HAS_ADDRESS
async def test_opus_over_dtls_and_ice(baresip: Start, tmp_path: Path) -> None:
    """As a browser has it."""
    phone = baresip(("opus", "dtls_srtp", "ice"), ";mediaenc=dtls_srtp;medianat=ice")
    we = Ours(phone, "dtls", codecs=("opus",))
    async with we.agent as ua, ua.call(phone.uri()) as call:
        async with sounding(call, tmp_path):
            assert call.audio.codec == "opus"
            assert (call.security or "").startswith("DTLS-SRTP A")
