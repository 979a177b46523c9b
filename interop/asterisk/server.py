"""An Asterisk that runs for the tests: in a folder of its own, on free ports of the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from interop.asterisk import configuration
from interop.asterisk.installation import Installation
from interop.asterisk.ports import free_range
from interop.ports import HOST, addresses, free_ports
from interop.processes import ended_with_us, tail

BOOT_TIMEOUT = 60.0  # seconds: half a second is usual, a busy machine has needed 15
STOP_TIMEOUT = 10.0
IDLE_TIMEOUT = 5.0
RTP_PORTS = 200


@attrs.frozen
class Ports:
    """Where it listens beside UDP and TCP. ``mutual`` wants a certificate; that of ``wrong`` is for another
    name, that of ``expired`` has expired: all three are TLS.
    """

    tls: int
    mutual: int
    wrong: int
    expired: int
    ws: int
    wss: int


@attrs.frozen
class Asterisk:
    """A running Asterisk, reached at ``host`` and ``port`` over UDP and TCP; the others have ``ports``."""

    installation: Installation
    folder: Path
    port: int
    ports: Ports
    media: range
    """The ports of its RTP."""
    host: str = HOST

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def authority(self) -> Path:
        """The certificate that signed its own."""
        return self.folder / "authority.crt"

    def uri(self, number: str) -> str:
        """The URI at which a number of the dialplan (etc/extensions.conf) is called."""
        return f"sip:{number}@{self.host}:{self.port}"

    async def cli(self, command: str) -> str:
        """The output of a command on Asterisk's console."""
        return await asyncio.to_thread(self.console, command)

    async def originate(self, endpoint: str, number: str, uri: str = "") -> None:
        """Call an endpoint at ``uri``, or where it is registered; when it answers it gets ``number``."""
        device = f"PJSIP/{endpoint}/{uri}" if uri else f"PJSIP/{endpoint}"
        await self.cli(f"channel originate {device} extension {number}@calls")

    async def channels(self) -> list[str]:
        """Names of all channels: one for each leg of a call."""
        lines = (await self.cli("core show channels concise")).splitlines()
        # After the first MESSAGE there is one more, which stays: it is not a call. On a busy machine the
        # console has been seen to print its whole list twice.
        names = [line.partition("!")[0] for line in lines if "!" in line and not line.startswith("Message/")]
        return list(dict.fromkeys(names))

    async def idle(self) -> None:
        """Wait until no channel is left; raises TimeoutError when one stays."""
        async with asyncio.timeout(IDLE_TIMEOUT):
            while True:
                if not await self.channels():
                    return
                await asyncio.sleep(0.05)

    async def contacts(self, aor: str) -> list[str]:
        """The URIs bound to an address-of-record."""
        rows = (await self.cli("database show registrar/contact")).splitlines()
        records = [row[row.index("{") :] for row in rows if row.startswith(f"/registrar/contact/{aor};")]
        return [json.loads(record)["uri"] for record in records]

    def console(self, command: str) -> str:
        """Like ``cli``, without an event loop. Raises OSError when Asterisk does not answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            while connection.connect_ex(str(self.folder / "asterisk.ctl")) == errno.EAGAIN:
                time.sleep(0.01)  # many connect at once, and its queue is full
            connection.sendall(f"cli quit after {command}\0".encode())
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        return received.decode(errors="replace").partition("\n")[2]  # after the line with its version


@contextmanager
def running(installation: Installation) -> Iterator[Asterisk]:
    """Start Asterisk, wait until it takes calls; stop it and remove its folder afterwards."""
    with rendered(installation) as asterisk, booted(asterisk):
        yield asterisk


@contextmanager
def rendered(installation: Installation) -> Iterator[Asterisk]:
    """An Asterisk with a folder and a configuration, that does not run yet."""
    folder = Path(tempfile.mkdtemp(prefix="interop-", dir=installation.folder))
    try:
        port, *others = free_ports(1 + len(attrs.fields(Ports)))
        asterisk = Asterisk(installation, folder, port, Ports(*others), free_range(RTP_PORTS))
        values = {
            "FOLDER": installation.path_inside(folder),
            "SIP_PORT": asterisk.port,
            "RTP_FIRST": asterisk.media.start,
            "RTP_LAST": asterisk.media.stop - 1,
            "HOST_CANDIDATES": "\n".join(f"{address} => {HOST}" for address in addresses()),
            **{f"{name.upper()}_PORT": port for name, port in attrs.asdict(asterisk.ports).items()},
        }
        configuration.render(folder, values, sha256=installation.knows_sha256)
        yield asterisk
    finally:
        shutil.rmtree(folder)


@contextmanager
def booted(asterisk: Asterisk, entering: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Start it and wait until it takes calls; stop it afterwards. ``entering`` stands before its command."""
    with _process(asterisk, entering) as process:
        _wait_until_booted(asterisk, process)
        yield process


@contextmanager
def _process(asterisk: Asterisk, entering: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    configured = f"{asterisk.installation.path_inside(asterisk.folder)}/asterisk.conf"
    with (
        (asterisk.folder / "output").open("wb") as output,
        subprocess.Popen(
            [*ended_with_us(), *entering, *asterisk.installation.command("-f", "-C", configured)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(asterisk, process)


def _wait_until_booted(asterisk: Asterisk, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # its console is not there yet
            if "fully booted" in asterisk.console("core waitfullybooted"):
                return
        time.sleep(0.05)
    raise RuntimeError(f"Asterisk did not start:\n{tail(asterisk.folder / 'output')}{tail(asterisk.log)}")


def _stop(asterisk: Asterisk, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        asterisk.console("core stop now")
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
