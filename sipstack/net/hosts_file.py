"""The names that the system's hosts file gives, which count before the DNS."""

from __future__ import annotations

import os
from collections.abc import Iterable

from sipstack.core.routing import as_address

MAXIMUM_OCTETS = 1_000_000


def system_path() -> str:
    """Where the system keeps it."""
    root = os.environ.get("SYSTEMROOT")
    return rf"{root}\System32\drivers\etc\hosts" if os.name == "nt" and root else "/etc/hosts"


class HostsFile:
    """Read when first asked, and again when it has changed."""

    def __init__(self, path: str | None = None) -> None:
        self._path = system_path() if path is None else path
        self._read_at: float | None = None
        self._names: dict[str, list[str]] = {}

    def addresses(self, name: str, family: str) -> list[str]:
        """Those of ``name``, of the family "A" or "AAAA"; none where the file or the name is not there."""
        self._refresh()
        found = self._names.get(name.lower().rstrip("."), ())
        return [each for each in found if (":" in each) == (family == "AAAA")]

    def has(self, name: str) -> bool:
        """Whether it gives any address of ``name``."""
        self._refresh()
        return name.lower().rstrip(".") in self._names

    def _refresh(self) -> None:
        try:
            changed = os.stat(self._path).st_mtime
            if changed != self._read_at:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    self._names = _read(file.read(MAXIMUM_OCTETS).splitlines())
                self._read_at = changed
        except OSError:
            self._names, self._read_at = {}, None


def _read(lines: Iterable[str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in lines:
        text, *hosts = line.partition("#")[0].split() or [""]
        address = as_address(text)
        if address is not None:
            for host in hosts:
                names.setdefault(host.lower().rstrip("."), []).append(address)
    return names
