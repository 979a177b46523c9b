"""Asterisk answers every call and waits: through chan_pjsip, with all that it loads by itself."""

from __future__ import annotations

import functools
from pathlib import Path

from interop.asterisk import installation
from interop.asterisk.debian import Unavailable
from interop.asterisk.installation import Installation
from interop.bench import progress
from interop.bench.server import Recipe, StartError

_DIRECTORIES = ("etc", "varlib", "db", "key", "data", "agi", "spool", "run", "log")
_PJSIP = """\
[transport]
type=transport
protocol=udp
bind=127.0.0.1:{port}
[loopback]
type=endpoint
context=bench
disallow=all
allow=ulaw
[loopback]
type=identify
endpoint=loopback
match=127.0.0.1
"""
_FILES = {
    "logger.conf": "[general]\n[logfiles]\nconsole => error\n",
    "extensions.conf": "[bench]\nexten => _[a-z].,1,Answer()\n same => n,Wait(3600)\n",
    "rtp.conf": "[general]\nrtpstart=20000\nrtpend=40000\n",
    "modules.conf": "[modules]\nautoload=yes\n",
}


def recipe(folder: Path) -> Recipe:
    """How to start it; raises `StartError` where there is none and none can be installed."""
    try:
        found = installation.find(lambda step: progress.show(f"Asterisk: {step}"))
    except Unavailable as error:
        raise StartError(str(error)) from error
    home = (found.folder or folder) / "sipstack-bench"
    home.mkdir(exist_ok=True)
    command = found.command("-f", "-C", f"{_seen(found, home)}/asterisk.conf")
    version = ".".join(map(str, found.version))
    prepare = functools.partial(_configure, home, _seen(found, home))
    return Recipe(f"Asterisk {version}", command, patience=60.0, settling=2.0, prepare=prepare)


def _seen(found: Installation, home: Path) -> str:
    return found.path_inside(home) if found.folder else str(home)


def _configure(home: Path, seen: str, port: int) -> None:
    directories = "\n".join(f"ast{name}dir => {seen}" for name in _DIRECTORIES if name != "data")
    data = "astdatadir => /usr/share/asterisk"
    files = {
        "asterisk.conf": f"[directories]\n{directories}\n{data}\n",
        "pjsip.conf": _PJSIP.format(port=port),
    }
    for name, text in (_FILES | files).items():
        (home / name).write_text(text, encoding="ascii")
