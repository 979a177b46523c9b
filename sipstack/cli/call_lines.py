"""Records of calls, and what was found about them, as lines for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sipstack.cli.ladder import printable
from sipstack.cli.words import in_words
from sipstack.records.findings import Finding
from sipstack.records.record import CallRecord

WHO_ENDED = {"local": "by us", "remote": "by the other side"}


def when(milliseconds: int) -> str:
    """In UTC, to the second."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # no year that a calendar has
        return str(milliseconds)


def line(call: CallRecord) -> str:
    """One call in one line."""
    first, second = (call.remote, call.local) if call.incoming else (call.local, call.remote)
    parts = [when(call.began), f"{first} -> {second}", _outcome(call)]
    if call.answered is not None:
        parts.append(in_words(call.duration / 1000))
    parts += [call.codec, call.security]
    return printable("  ".join(part for part in parts if part))


def _outcome(call: CallRecord) -> str:
    if call.outcome == "refused" and call.status is not None:
        return f"refused {call.status}"
    if call.outcome == "answered":
        return f"ended {WHO_ENDED.get(call.by, f'by {call.by}')}"
    return call.outcome


def details(call: CallRecord) -> Iterator[str]:
    """Everything of one call, a line each."""
    for name, value in call.as_values().items():
        if name in ("began", "answered", "ended") and value is not None:
            value = f"{when(value)} UTC"
        elif name == "duration":
            value = in_words(value / 1000)
        elif name == "quality" and value is not None:
            value = ", ".join(f"{key} {number}" for key, number in value.items())
        elif name == "nodes":
            value = ", ".join(value)
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        if value not in (None, ""):
            yield printable(f"{name:<12} {value}")


def as_json(call: CallRecord) -> str:
    return json.dumps(call.as_values())


def finding_as_json(finding: Finding) -> str:
    values = {"kind": finding.kind, "wrong": finding.wrong, "text": finding.text}
    return json.dumps(values | {"file": finding.file or None, "line": finding.line})
