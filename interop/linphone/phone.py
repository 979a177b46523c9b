"""A linphonec that runs for a test: in a folder of its own, at port 5060 of a loopback address of its own.

Whom it refers to is named without a port, so everybody has that one. It answers every call, has files in
place of a sound card, and takes its commands on standard input.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from interop.ports import free_port
from interop.processes import STOP_TIMEOUT, ended_with_us, wait_until_ready

CONFIGURATION = """\
[sip]
sip_port=5060
sip_tcp_port=-1
sip_tls_port=-1
default_proxy=-1
guess_hostname=0
contact=sip:{name}@{host}
bind_address={host}
register_only_when_network_is_up=0
use_ipv6=0
[rtp]
audio_rtp_port={rtp}
[net]
firewall_policy=0
[video]
enabled=0
"""
READY = "linphonec>"


def program() -> str | None:
    """The path of linphonec; None where it is not installed."""
    return shutil.which("linphonec")


def own_address() -> str:
    """An address of the loopback interface that nobody else is likely to have."""
    return f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"


@attrs.frozen
class Linphone:
    """A running linphonec."""

    name: str
    folder: Path
    host: str
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        """What it said, with every SIP message."""
        return self.folder / "log"

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:{self.name}@{self.host}"

    def tell(self, command: str) -> None:
        """Give it a command, such as ``call sip:bob@127.1.2.3``."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()


@contextmanager
def running(folder: Path, name: str) -> Iterator[Linphone]:
    """Start it and wait until it takes commands; stop it afterwards. Raises RuntimeError with its last words
    when it does not start.
    """
    host = own_address()
    (folder / "rc").write_text(CONFIGURATION.format(name=name, host=host, rtp=free_port()))
    (folder / ".local" / "share" / "linphone").mkdir(parents=True)
    log, said = folder / "log", folder / "said"
    command = [program() or "linphonec", "-c", str(folder / "rc"), "-a", "-d", "6", "-l", str(log)]
    with (
        said.open("wb") as output,
        subprocess.Popen(
            [*ended_with_us(), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
        ) as process,
    ):
        phone = Linphone(name, folder, host, process)
        try:
            wait_until_ready("linphonec", process, said, lambda: READY in said.read_text(errors="replace"))
            phone.tell("soundcard use files")
            yield phone
        finally:
            with suppress(BrokenPipeError):
                phone.tell("quit")
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
