"""A coturn that runs for a test: a STUN and TURN server, in a network namespace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from interop.namespace import Namespace
from interop.processes import running, tail
from sipstack.testing.certificates import CertificateAuthority

USER, PASSWORD, REALM = "alice", "secret", "example.test"
STARTED = "SQLite DB connection success"
"""What it says last."""


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
    command = [program() or "turnserver", "-n", "--no-cli"]
    command += ["--lt-cred-mech", f"--user={USER}:{PASSWORD}", f"--realm={REALM}", "--log-file=stdout"]
    command += [f"--userdb={folder}/users", f"--pidfile={folder}/pid", "--relay-threads=1"]
    command += [f"--cert={certificate}", f"--pkey={key}", "--verbose"]
    for address in addresses:
        command += [f"--listening-ip={address}"]
    command += [f"--relay-ip={addresses[0]}"]
    with running("coturn", command, log, lambda: STARTED in tail(log), entering=namespace.entering):
        yield log
