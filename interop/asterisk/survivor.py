"""A phone that is killed: ``python -m interop.asterisk.survivor PORT FOLDER TARGET``.

It calls TARGET, where a tone is heard, keeps the call and its record in FOLDER, and says what happens.
Started again it goes on with the call.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from interop.asterisk.listening import hear_tone
from sipstack import Call, CallRecords, SqliteStore, UserAgent

TONE = 1004


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - who started it reads this


async def listen(call: Call) -> None:
    """Until the other side hangs up."""
    await hear_tone(call.audio, TONE)
    say("hears the tone")
    end = await call.ended()
    say(f"ended by {end.by}")


async def main(port: str, folder: Path, target: str) -> None:
    over = asyncio.Event()

    async def go_on(call: Call) -> None:
        say("goes on")
        await hear_tone(call.audio, TONE)
        say("hears the tone again")
        await call.hold()
        await call.resume()
        await listen(call)
        over.set()

    agent = UserAgent(
        "sip:open@127.0.0.1",
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
                await listen(call)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
