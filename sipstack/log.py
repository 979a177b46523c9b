"""The library's loggers, one for each area: ``sipstack.transport``, ``.transaction``, ``.call``, ``.media``,
``.store``.

Nothing is written until the application configures logging. INFO tells what happens to calls, registrations
and requests; DEBUG adds one line for each message. No header field but Call-ID and CSeq and no body is ever
written, so no credential and no key.
"""

from __future__ import annotations

import logging
import re

from sipstack.errors import printable

LONGEST = 200
"""Characters of one value that are written."""
CUT = "…"
# the password of a URI (RFC 3261 §19.1.1), which may have been cut off before its "@"
_PASSWORD = re.compile(rf"(?i)\b(sips?:[^\s:@]*):[^\s@{CUT}]*([@{CUT}])")
_KEY = re.compile(r"(?i)(\binline:)[^\s|;]+")  # a=crypto, RFC 4568

logging.getLogger("sipstack").addHandler(logging.NullHandler())


class Log:
    """Writes the records of one area.

    ``text`` has a ``%s`` for each value. The values are turned into text only when the record is wanted, and
    then made ``legible``: most of them were chosen by a stranger.
    """

    __slots__ = ("_logger",)

    def __init__(self, area: str) -> None:
        self._logger = logging.getLogger(f"sipstack.{area}")

    @property
    def shows_debug(self) -> bool:
        """Whether records of level DEBUG are wanted."""
        return self._logger.isEnabledFor(logging.DEBUG)

    @property
    def shows_info(self) -> bool:
        """Whether records of level INFO are wanted."""
        return self._logger.isEnabledFor(logging.INFO)

    def debug(self, text: str, *values: object) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, text, values)

    def info(self, text: str, *values: object) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, text, values)

    def warning(self, text: str, *values: object) -> None:
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, text, values)

    def _write(self, level: int, text: str, values: tuple[object, ...]) -> None:
        # the caller's place in the code is two calls up
        self._logger.log(level, text, *map(legible, values), stacklevel=3)


def legible(value: object) -> str:
    """One line of text: control characters are escaped, the password of a URI and the keys of an SDP are
    hidden, and what is too long is cut. Seconds, a float, have one decimal; a pair is an address.
    """
    match value:
        case float():
            return f"{value:.1f}"
        case (str(host), int(port), *_):
            text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            text = str(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + CUT
    text = _PASSWORD.sub(r"\1:***\2", text)
    text = _KEY.sub(r"\1***", text)
    return printable(text)


TRANSPORT = Log("transport")
TRANSACTION = Log("transaction")
CALL = Log("call")
MEDIA = Log("media")
STORE = Log("store")
