"""A Kamailio that runs for the tests: in a folder of its own, on free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from interop.ports import HOST, accepts, free_ports
from interop.processes import ended_with_us, wait_until_ready
from sipstack.testing.certificates import CertificateAuthority

TEMPLATES = Path(__file__).parent / "etc"
DOMAIN = "interop.test"
TABLES = Path("/usr/share/kamailio/dbtext/kamailio")
"""Where Debian has the empty tables that the presence server wants."""
START_TIMEOUT = 20.0  # seconds; half of one is usual
STOP_TIMEOUT = 10.0


def program() -> str | None:
    """The path of Kamailio, None where it is not installed."""
    return shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@attrs.frozen
class Ports:
    """Where it listens; UDP and TCP share one."""

    sip: int
    tls: int
    ws: int
    wss: int


@attrs.define
class Kamailio:
    """One instance. ``start`` and ``stop`` may be called again and again: the ports and certificates stay.

    ``edge_of``: the registrar that it stands in front of (see etc/kamailio.cfg). ``role``: the configuration,
    "kamailio" or "presence".
    """

    folder: Path
    ports: Ports = attrs.field(factory=lambda: Ports(*free_ports(4)))
    edge_of: Kamailio | None = None
    role: str = "kamailio"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it said, with every SIP message."""
        return self.folder / "log"

    @property
    def authority(self) -> Path:
        """The certificate that signed its own."""
        return self.folder / "authority.crt"

    def proxy(self, transport: str) -> str:
        """The URI at which it is reached over a transport: as ``UserAgent(proxy=...)`` takes it."""
        ports = self.ports
        return {
            "udp": f"sip:{HOST}:{ports.sip}",
            "tcp": f"sip:{HOST}:{ports.sip};transport=tcp",
            "tls": f"sip:{HOST}:{ports.tls};transport=tls",
            "ws": f"ws://{HOST}:{ports.ws}/ws",
            "wss": f"wss://{HOST}:{ports.wss}/ws",
        }[transport]

    def start(self) -> None:
        """Returns when it takes requests. Raises RuntimeError with its last words when it does not."""
        ended = ended_with_us("TERM")  # it has workers to end
        command = [*ended, program() or "kamailio", "-DD", "-E", "-m", "32", "-M", "8"]
        command += [
            "-f",
            str(self.folder / f"{self.role}.cfg"),
            "-Y",
            str(self.folder),
            "-w",
            str(self.folder),
        ]
        command += ["-A", "IS_EDGE"] if self.edge_of else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its workers are ended with it
            )
        port = self.ports.wss if self.role == "kamailio" else self.ports.sip
        try:
            wait_until_ready("Kamailio", self._process, self.log, lambda: accepts(port), START_TIMEOUT)
        except RuntimeError:
            self.stop()
            raise

    def stop(self) -> None:
        """It ends as it likes: its clients are told of closed connections."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """It dies, and all that it knew is forgotten."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        group = process.pid
        _signal_group(group, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
        _signal_group(group, signal.SIGKILL)  # workers that are left, or all of it
        process.wait()

    def render(self) -> None:
        """Write the configuration and the certificates."""
        if self.role == "presence":
            shutil.copytree(TABLES, self.folder / "db")
        authority = CertificateAuthority()
        authority.write(self.folder)
        authority.issue(HOST, "localhost", DOMAIN).write(self.folder, "server")
        values = {
            "HOST": HOST,
            "UDP_PORT": self.ports.sip,
            "TCP_PORT": self.ports.sip,
            "TLS_PORT": self.ports.tls,
            "WS_PORT": self.ports.ws,
            "WSS_PORT": self.ports.wss,
            "FOLDER": self.folder,
            "REGISTRAR": f"{HOST}:{self.edge_of.ports.sip}" if self.edge_of else "",
        }
        for template in TEMPLATES.glob("*.cfg"):
            text = template.read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            (self.folder / template.name).write_text(text)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


@contextmanager
def running(edge_of: Kamailio | None = None, role: str = "kamailio") -> Iterator[Kamailio]:
    """Start Kamailio; stop it and remove its folder afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    kamailio = Kamailio(folder, edge_of=edge_of, role=role)
    try:
        kamailio.render()
        kamailio.start()
        yield kamailio
    finally:
        kamailio.stop()
        shutil.rmtree(folder)
