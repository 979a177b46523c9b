"""UPDATE both ways, with a real server (RFC 3311)."""

from __future__ import annotations

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import hear_tone
from interop.asterisk.server import Asterisk
from sipstack import TracedMessage

OURS = [(True, "UPDATE"), (False, "200 OK")]
THEIRS = [(False, "UPDATE"), (True, "200 OK")]


class Looking:
    """The UPDATEs that went over the wire, and how they were answered."""

    def __init__(self) -> None:
        self.lines: list[tuple[bool, str]] = []

    def __call__(self, traced: TracedMessage) -> None:
        text = traced.data.decode(errors="replace")
        if text.startswith("UPDATE ") or "UPDATE\r\n" in text.partition("CSeq:")[2][:40]:
            self.lines.append((traced.sent, text.split("\r\n")[0].removeprefix("SIP/2.0 ")[:6].strip()))


async def test_we_hold_before_it_answers(asterisk: Asterisk, agent: AgentFactory, sealed: bool) -> None:
    looking = Looking()
    async with agent("reliable", trace=looking) as ua:
        async with ua.invite(asterisk.uri("early")) as outgoing:
            await hear_tone(outgoing.audio, 440)
            await outgoing.hold()
            assert outgoing.held
            await outgoing.resume()
            call = await outgoing.answered()
            await hear_tone(call.audio, 1004)
    assert looking.lines == OURS * (3 if sealed else 2)


async def test_we_hold_and_move_inside_of_the_call(
    asterisk: Asterisk, agent: AgentFactory, sealed: bool
) -> None:
    looking = Looking()
    async with agent(trace=looking) as ua, ua.call(asterisk.uri("milliwatt")) as call:
        await hear_tone(call.audio, 1004)
        await call.hold(update=True)
        await call.resume(update=True)
        await call.update()
        await hear_tone(call.audio, 1004)
    updates = looking.lines.count(OURS[0])
    assert looking.lines == OURS * updates
    assert updates > 3 if sealed else updates == 3  # one tells several changes, when they come at once


async def test_it_tells_by_update_who_is_talked_to(
    asterisk: Asterisk, agent: AgentFactory, sealed: bool
) -> None:
    """Connected line, without an offer."""
    looking = Looking()
    async with agent("renaming", trace=looking) as ua, ua.call(asterisk.uri("renamed")) as call:
        await hear_tone(call.audio, 1004)
        assert not call.remote_held
    assert [line for line in looking.lines if line in THEIRS][:2] == THEIRS
    assert sealed or looking.lines[:2] == THEIRS
