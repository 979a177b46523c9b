"""DTLS-SRTP with baresip: to the addresses of the descriptions, and over ICE."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.asterisk.listening import answering, next_call
from interop.baresip.conftest import Start
from interop.baresip.ours import HAS_ADDRESS, Ours, sounding
from sipstack import Ice

DTLS = "DTLS-SRTP A"
MODULES = ("g711", "dtls_srtp", "ice")
WITHOUT_AND_WITH_ICE = pytest.mark.parametrize(
    "ice", [pytest.param(None, id="plain"), pytest.param(Ice(), marks=HAS_ADDRESS, id="ice")]
)


@WITHOUT_AND_WITH_ICE
async def test_we_call_baresip(baresip: Start, tmp_path: Path, ice: Ice | None) -> None:
    phone = baresip(MODULES, ";mediaenc=dtls_srtp" + (";medianat=ice" if ice else ""))
    we = Ours(phone, "dtls", ice=ice)
    async with we.agent as ua, ua.call(phone.uri()) as call:
        async with sounding(call, tmp_path):
            assert (call.security or "").startswith(DTLS)
        assert we.protocol == ("UDP/TLS/RTP/SAVPF" if ice else "UDP/TLS/RTP/SAVP")


@WITHOUT_AND_WITH_ICE
async def test_baresip_calls_us(baresip: Start, tmp_path: Path, ice: Ice | None) -> None:
    phone = baresip(MODULES, ";mediaenc=dtls_srtp" + (";medianat=ice" if ice else ""))
    we = Ours(phone, "dtls", ice=ice)
    async with we.agent as ua, answering(ua) as calls:
        await phone.tell("dial", ua.contact)
        call = await next_call(calls)
        async with sounding(call, tmp_path):
            assert (call.security or "").startswith(DTLS)
        await phone.tell("hangup")
        assert (await call.ended()).by == "remote"


@HAS_ADDRESS
async def test_what_baresip_needs_for_ice_is_told(baresip: Start) -> None:
    """Without its ``rtcp_mux yes`` it wants two ports, or none."""
    phone = baresip(MODULES, ";mediaenc=dtls_srtp;medianat=ice", rtcp_mux=False)
    we = Ours(phone, "dtls")
    async with we.agent as ua, answering(ua) as calls:
        await phone.tell("dial", ua.contact)
        call = await next_call(calls)
        ended = await call.ended()
        assert "(rtcp-mux)" in str(ended.reason)
