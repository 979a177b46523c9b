"""The sipstack UAS over one transport.

``python -m interop.bench.stream_uas TRANSPORT PORT FOLDER [--pauses]``

The policy answers each call at once, without media. In the folder are ``server.crt``, ``server.key`` and
``authority.crt``. It takes as many descriptors as it may have; ``--pauses`` tells when the loop stood still.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from interop.bench import garbage
from interop.bench.no_media import NoMedia
from interop.bench.uas import ACCEPT, handle
from sipstack import Tls, UserAgent


def take_descriptors() -> int:
    """Raises the limit as far as the system lets us; returns it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


async def main(transport: str, port: int, folder: Path, options: set[str]) -> None:
    """Serves until the process is stopped."""
    no_media = NoMedia()
    tls = Tls(
        certificate=folder / "server.crt", key=folder / "server.key", authority=folder / "authority.crt"
    )
    async with UserAgent(
        "sip:bench@127.0.0.1",
        listen=f"{transport}:127.0.0.1:{port}",
        tls=tls,
        media=lambda host: no_media,
        policy=lambda received: ACCEPT,
    ) as ua:
        garbage.settle()
        watching = [garbage.print_pauses()] if "--pauses" in options else []
        await asyncio.gather(ua.serve(handle), *watching)


if __name__ == "__main__":
    take_descriptors()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), set(sys.argv[4:])))
