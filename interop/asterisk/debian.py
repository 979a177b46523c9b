"""Asterisk from Debian packages in a chroot of its own, made by debootstrap once and kept as a tar.

Debian's current release has no Asterisk; sid has 22, bullseye 16. The packages' signatures are checked by
debootstrap. sid moves, so the tar is what pins the version: keep it to have the same Asterisk again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from interop.asterisk.mirrors import mirror

SUITES = ("sid", "bullseye")  # in the order in which they are tried
PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm")
UNNEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")

PROGRESS = 50  # one of so many lines of debootstrap's output is reported

Report = Callable[[str], None]


class Unavailable(Exception):
    """No Asterisk can be installed or found. The text is the reason."""


def cache() -> Path:
    """The folder that is kept between runs: ``$SIPSTACK_CACHE``, else ``~/.cache/sipstack``."""
    return Path(os.environ.get("SIPSTACK_CACHE") or Path.home() / ".cache" / "sipstack")


def chroot(report: Report) -> Path:
    """The chroot with Asterisk from the cache; if there is none, it is unpacked or newly installed."""
    with _locked_cache() as folder:
        for suite in SUITES:
            root = folder / f"asterisk-{suite}"
            if root.is_dir():
                return root
            for tar in sorted(folder.glob(f"asterisk-{suite}.tar*")):
                return _unpack(tar, root, report)
        return _install(folder, report)


def unpacked(tar: Path, report: Report) -> Path:
    """The content of the tar of a chroot, as a folder of the same name in the cache."""
    with _locked_cache() as folder:
        root = folder / tar.name.partition(".tar")[0]
        return root if root.is_dir() else _unpack(tar, root, report)


def _unpack(tar: Path, root: Path, report: Report) -> Path:
    report(f"unpacking {tar}")
    with _complete_or_absent(root) as unfinished:
        _run(["tar", "--extract", "--numeric-owner", "--file", str(tar), "--directory", str(unfinished)])
    return root


def _install(folder: Path, report: Report) -> Path:
    if not shutil.which("debootstrap"):
        raise Unavailable("neither asterisk nor debootstrap is installed")
    if os.geteuid() != 0:
        raise Unavailable("debootstrap needs root")
    source = mirror()
    if source is None:
        raise Unavailable("apt's sources name no mirror of the distribution")
    reasons = []
    for suite in SUITES:
        try:
            return _bootstrap(suite, source, folder, report)
        except Unavailable as error:
            report(str(error))
            reasons.append(str(error))
    raise Unavailable("; ".join(reasons))


def _bootstrap(suite: str, source: str, folder: Path, report: Report) -> Path:
    report(f"installing Asterisk from Debian {suite}, about a minute")
    root = folder / f"asterisk-{suite}"
    packages = f"--include={','.join(PACKAGES)}"
    with _complete_or_absent(root) as unfinished:
        _run(["debootstrap", "--variant=minbase", packages, suite, str(unfinished), source], report)
        _trim(unfinished)
        _disable_name_lookups(unfinished)
        _pack(unfinished, folder / f"asterisk-{suite}.tar", report)
    return root


def _trim(root: Path) -> None:
    for name in UNNEEDED:
        shutil.rmtree(root / name, ignore_errors=True)


def _disable_name_lookups(root: Path) -> None:
    # Asterisk looks up its own host name, and waits when that goes to a resolver that does not answer.
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")


def _pack(root: Path, tar: Path, report: Report) -> None:
    compress = ["--zstd"] if shutil.which("zstd") else []
    tar = tar.with_name(tar.name + ".zst") if compress else tar
    report(f"keeping it as {tar}")
    unfinished = tar.with_name(f"unfinished.{tar.name}")
    _run(["tar", "--create", *compress, "--file", str(unfinished), "--directory", str(root), "."])
    unfinished.rename(tar)


@contextmanager
def _complete_or_absent(root: Path) -> Iterator[Path]:
    unfinished = root.with_name(f"unfinished.{root.name}")
    _remove(unfinished)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
    except BaseException:
        _remove(unfinished)
        raise
    unfinished.rename(root)


def _remove(folder: Path) -> None:
    # A debootstrap that was killed may have left /proc and /sys mounted in it.
    subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(folder)], check=False)


@contextmanager
def _locked_cache() -> Iterator[Path]:
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "asterisk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _run(command: list[str], report: Report | None = None) -> None:
    """Run to the end. Some lines of its output are reported; the last ones are the reason when it fails."""
    environment = {**os.environ, "LC_ALL": "C"}
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if report and len(lines) % PROGRESS == 1:
                report(f"  {lines[-1]}")
    if process.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {' / '.join(lines[-3:])}")
