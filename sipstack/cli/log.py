"""The library's log on standard error, as ``-v`` and ``-vv`` ask for it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TextIO

from sipstack.cli.ladder import printable

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # by the number of -v
FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"


class LineFormatter(logging.Formatter):
    """Begins each record with the time, and indents its further lines (a SIP message, a traceback).

    A log may quote what a stranger sent: control characters are replaced, and no quoted text can look like
    the first line of a record.
    """

    def __init__(self) -> None:
        super().__init__(FORMAT, "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(map(printable, super().format(record).splitlines()))


@contextlib.contextmanager
def logging_to(stream: TextIO, verbose: int) -> Iterator[None]:
    """Write the records of the library's loggers, and of asyncio's, to ``stream`` until the block is left.

    Warnings are always written; ``verbose`` is 1 for INFO, 2 or more for DEBUG.
    """
    logger = logging.getLogger("sipstack")
    loop = logging.getLogger("asyncio")  # tells of errors in handlers and tasks, with their text
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    level = logger.level
    for each in (logger, loop):
        each.addHandler(handler)
    logger.setLevel(LEVELS[min(verbose, len(LEVELS) - 1)])
    try:
        yield
    finally:
        for each in (logger, loop):
            each.removeHandler(handler)
        logger.setLevel(level)
