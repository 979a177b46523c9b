"""A phone that is killed: ``python -m interop.asterisk.survivor NAME PORT FOLDER TARGET HERTZ``.

As NAME it calls TARGET, where a tone of HERTZ is heard, plays its own all the time, keeps the call and its
record in FOLDER, and says what happens. Started again it goes on with the call.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import attrs

from interop.asterisk.listening import hear_tone
from interop.asterisk.sound import tone, write_wav
from sipstack import Call, CallRecords, SqliteStore, UserAgent

OUR_TONE = 440  # Hz
IN_FLIGHT = 3  # packets of 20 ms that may be under way when it is held


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - who started it reads this


@attrs.frozen
class Phone:
    folder: Path
    hertz: int

    async def use(self, call: Call, *, resumed: bool) -> None:
        """Until the other side hangs up."""
        beep = write_wav(self.folder / "beep.wav", tone(OUR_TONE, 1.0))
        async with call.playing(beep, loop=True):
            if resumed:
                await hear_tone(call.audio, self.hertz)
                say("hears the tone again")
                await call.hold()
                await call.resume()
            await hear_tone(call.audio, self.hertz)
            say("hears the tone")
            held = asyncio.create_task(self.be_held(call))
            end = await call.ended()
            held.cancel()
        say(f"ended by {end.by}")

    async def be_held(self, call: Call) -> None:
        """Say when the other side holds, whether we fall silent, and when it is over."""
        await remote_hold(call, held=True)
        say("is held")
        before = call.audio.statistics.packets_sent
        await remote_hold(call, held=False)
        sent = call.audio.statistics.packets_sent - before
        say("was silent while held" if sent <= IN_FLIGHT else f"sent {sent} packets while held")
        await hear_tone(call.audio, self.hertz)
        say("hears the tone after being held")


async def remote_hold(call: Call, *, held: bool) -> None:
    while call.remote_held is not held:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.02)


async def main(name: str, port: str, folder: Path, target: str, hertz: str) -> None:
    over = asyncio.Event()
    phone = Phone(folder, int(hertz))

    async def go_on(call: Call) -> None:
        say("goes on")
        await phone.use(call, resumed=True)
        over.set()

    agent = UserAgent(
        f"sip:{name}@127.0.0.1",
        password="secret",
        listen=f"udp:127.0.0.1:{port}",
        sessions=SqliteStore(folder / "calls.db"),
        records=CallRecords(folder / "calls.jsonl"),
        node="survivor",
        on_resume=go_on,
    )
    async with agent:
        say("ready")
        if await agent.sessions():
            await over.wait()
        else:
            async with agent.call(target) as call:
                await phone.use(call, resumed=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]))
