"""The records that a test caught, as lines to compare."""

from __future__ import annotations

import logging
import re

import pytest


def listen(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> None:
    """Catch the library's records from this level on. Before the user agents are entered."""
    caplog.set_level(level, "sipstack")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """``area: text`` of each record, with the level in front unless it is INFO, and ID for a Call-ID."""
    found = [_line(record) for record in caplog.records if record.name.startswith("sipstack.")]
    caplog.clear()
    return found


def _line(record: logging.LogRecord) -> str:
    level = "" if record.levelno == logging.INFO else f"{record.levelname} "
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", record.getMessage())
    return f"{level}{record.name.removeprefix('sipstack.')}: {text}"
