"""Find an Asterisk to test against.

In this order: ``$INTEROP_ASTERISK`` (a program, a chroot folder or a tar of one), ``asterisk`` on the PATH, a
chroot in the cache folder, which is made when it is not there (see ``interop.asterisk.debian``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import attrs

from interop.asterisk import debian
from interop.asterisk.debian import Report, Unavailable

DIGEST_ALGORITHMS = (22, 1)  # first version that knows other algorithms than MD5 (RFC 8760)


@attrs.frozen
class Installation:
    """An Asterisk that can be started."""

    root: Path
    """The folder that it sees as ``/``."""
    program: str
    """Its path, as seen from that root."""
    version: tuple[int, ...]

    @property
    def knows_sha256(self) -> bool:
        return self.version >= DIGEST_ALGORITHMS

    @property
    def folder(self) -> Path | None:
        """The only folder in which Asterisk sees a working folder; None when it sees any."""
        return None if self.root == Path("/") else self.root / "srv"

    def path_inside(self, path: Path) -> str:
        """The path as Asterisk sees it, inside its root."""
        return "/" + str(path.relative_to(self.root))

    def command(self, *arguments: str) -> list[str]:
        return [*_entering(self.root), self.program, *arguments]

    def __str__(self) -> str:
        version = ".".join(map(str, self.version))
        return f"Asterisk {version} ({self.program if self.root == Path('/') else self.root})"


def find(report: Report) -> Installation:
    """The Asterisk to test against; raises Unavailable with the reason. ``report`` is told of slow steps."""
    named = os.environ.get("INTEROP_ASTERISK")
    if named:
        return _named(Path(named).absolute(), report)
    program = shutil.which("asterisk")
    if program:
        return _inspected(Path("/"), program)
    return _in_chroot(debian.chroot(report))


def _named(path: Path, report: Report) -> Installation:
    if path.is_dir():
        return _in_chroot(path)
    if not path.is_file():
        raise Unavailable(f"INTEROP_ASTERISK: there is no {path}")
    if ".tar" in path.suffixes:
        return _in_chroot(debian.unpacked(path, report))
    return _inspected(Path("/"), str(path))


def _in_chroot(root: Path) -> Installation:
    if os.geteuid() != 0:
        raise Unavailable(f"the Asterisk in {root} needs root to run")
    for program in ("/usr/sbin/asterisk", "/usr/bin/asterisk", "/usr/local/sbin/asterisk"):
        if (root / program.lstrip("/")).exists():
            return _inspected(root, program)
    raise Unavailable(f"there is no asterisk in {root}")


def _inspected(root: Path, program: str) -> Installation:
    command = [*_entering(root), program, "-V"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{program} in {root} does not run: {error}") from error
    found = re.search(r"Asterisk (?:certified/)?(\d+(?:\.\d+)*)", output.stdout)
    if not found:
        raise Unavailable(f"{program} in {root} does not tell its version: {output.stderr.strip()}")
    return Installation(root, program, tuple(map(int, found[1].split("."))))


def _entering(root: Path) -> list[str]:
    return [] if root == Path("/") else ["chroot", str(root)]
