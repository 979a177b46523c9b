"""Octets from TLS to TCP, or the other way: Debian's sipp has no TLS.

``python -m interop.sipp.relay FROM PORT TO PORT FOLDER``, where FROM and TO are ``tcp`` or ``tls``. In
the folder are ``server.crt``, ``server.key`` and ``authority.crt``. It runs until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from pathlib import Path

HOST = "127.0.0.1"
CHUNK = 65536


async def main(accepted: str, port: int, dialled: str, target: int, folder: Path) -> None:
    """Relay each connection to one of its own."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    client = ssl.create_default_context(cafile=str(folder / "authority.crt"))

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = client if dialled == "tls" else None
        there_reader, there_writer = await asyncio.open_connection(HOST, target, ssl=context)
        await asyncio.gather(_pour(reader, there_writer), _pour(there_reader, writer))

    listening = await asyncio.start_server(relay, HOST, port, ssl=server if accepted == "tls" else None)
    async with listening:
        await listening.serve_forever()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    with contextlib.suppress(OSError):
        target.close()
        await target.wait_closed()


if __name__ == "__main__":
    _from, _port, _to, _target, _folder = sys.argv[1:]
    asyncio.run(main(_from, int(_port), _to, int(_target), Path(_folder)))
