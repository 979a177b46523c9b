"""A coturn that runs for a test: a STUN and TURN server, in a network namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from interop.namespace import Namespace
from interop.processes import ended_with_us, tail
from sipstack.testing.certificates import CertificateAuthority

USER, PASSWORD, REALM = "alice", "secret", "example.test"
STARTED = "SQLite DB connection success"
"""What it says last."""
START_TIMEOUT = 10.0  # seconds; a tenth of one is usual
STOP_TIMEOUT = 5.0


def program() -> str | None:
    """The path of coturn; None where it is not installed."""
    return shutil.which("turnserver", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin")


@contextmanager
def coturn(namespace: Namespace, addresses: Sequence[str], folder: Path) -> Iterator[Path]:
    """Start it there, and wait until it listens; stop it afterwards. Gives its log. ``authority.crt`` in
    ``folder`` has signed its certificate. Raises RuntimeError with its last words when it does not start.
    """
    authority = CertificateAuthority()
    authority.write(folder)
    certificate, key = authority.issue(*addresses).write(folder, "turn")
    log = folder / "coturn.log"
    command = [*namespace.entering, *ended_with_us(), program() or "turnserver", "-n", "--no-cli"]
    command += ["--lt-cred-mech", f"--user={USER}:{PASSWORD}", f"--realm={REALM}", "--log-file=stdout"]
    command += [f"--userdb={folder}/users", f"--pidfile={folder}/pid", "--relay-threads=1"]
    command += [f"--cert={certificate}", f"--pkey={key}", "--verbose"]
    for address in addresses:
        command += [f"--listening-ip={address}"]
    command += [f"--relay-ip={addresses[0]}"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder
        ) as process,
    ):
        try:
            _wait_until_ready(log, process)
            yield log
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if STARTED in tail(log):
            return
        time.sleep(0.02)
    raise RuntimeError(f"coturn did not start:\n{tail(log)}")
