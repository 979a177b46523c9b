"""aiosipua answers every call without media; run in an environment of its own, with the port."""

from __future__ import annotations

import asyncio
import logging
import sys

import aiosipua  # type: ignore[import-not-found]

from interop.bench.floor import ANSWER


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    logging.disable(logging.CRITICAL)
    answer = aiosipua.parse_sdp(ANSWER.decode())
    uas = aiosipua.SipUAS(aiosipua.UdpSipTransport(local_addr=("127.0.0.1", port)))
    uas.on_invite = lambda call: call.accept(answer)
    await uas.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
