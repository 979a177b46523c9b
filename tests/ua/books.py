"""Call records of user agents, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sipstack import CallRecords
from sipstack.records.findings import Finding
from sipstack.records.reading import read
from sipstack.records.record import CallRecord
from sipstack.records.signing import has_signed


class Books:
    """The call records of the user agents of one test, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str, **more: Any) -> CallRecords:
        return CallRecords(self.path(name), **more)

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    def read(self, name: str) -> tuple[list[CallRecord], list[Finding]]:
        evidence = read([self.path(name)], has_signed)
        return evidence.calls, evidence.findings.all

    def only(self, name: str) -> CallRecord:
        """The one record that there is, of a chain with nothing wrong."""
        (call,), findings = self.read(name)
        assert findings == []
        return call


def how(call: CallRecord) -> tuple[str, int | None, str, str]:
    return call.outcome, call.status, call.by, call.reason
