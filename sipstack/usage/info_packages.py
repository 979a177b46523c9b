"""Info Packages (RFC 6086): which INFO requests each side of a call takes, told by Recv-Info.

Who registers none and calls nobody that does writes no field, and its calls have no part of this.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sipstack.message import Parameterised, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.usage.invite.extension import Action, CallExtension, Extension, NewCall

NAME = "recv-info"
"""Under which the extension is registered: it has no option tag."""
MAXIMUM = 64
"""Packages of a peer that are remembered."""


def recv_info(packages: Collection[str]) -> HeaderFields:
    """The packages that we take; the field is empty when there are none (§5.2.2)."""
    return (("Recv-Info", ", ".join(sorted(packages))),)


def packages_of(message: Request | Response) -> tuple[str, ...] | None:
    """Those that the sender of ``message`` takes, in lower case; None where it does not say."""
    if "Recv-Info" not in message.headers:
        return None
    found: tuple[Parameterised, ...] = message.headers.readable("Recv-Info")
    return tuple(each.value.lower() for each in found[:MAXIMUM])


def package_of(request: Request) -> str | None:
    """The package of an INFO, in lower case. Raises ParseError; None for one from before RFC 6086."""
    package: Parameterised | None = request.headers.typed("Info-Package")
    return None if package is None else package.value.lower()


class InfoPackages(CallExtension):
    """One call's part: tells ours, and remembers the peer's."""

    name = NAME

    def __init__(self, ours: Collection[str], theirs: tuple[str, ...] | None = None) -> None:
        self._ours = ours
        self.theirs = theirs

    def outgoing(self, method: str) -> HeaderFields:
        return recv_info(self._ours) if method == "INVITE" else ()

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        self._hear(request)
        return recv_info(self._ours) if status >= 200 and request.method == "INVITE" else ()

    def answered(self, response: Response, now: float) -> Action | None:
        if response.status < 300 and response.cseq.method == "INVITE":
            self._hear(response)
        return None

    def _hear(self, message: Request | Response) -> None:
        """§5.2: a later INVITE, or its answer, may change them; one that says nothing does not."""
        packages = packages_of(message)
        if packages is not None:
            self.theirs = packages

    def record(self, now: float) -> dict[str, object]:
        return {} if self.theirs is None else {"theirs": list(self.theirs)}

    def restore(self, record: dict[str, object], now: float) -> None:
        theirs = record.get("theirs")
        if isinstance(theirs, list):
            self.theirs = tuple(str(each) for each in theirs[:MAXIMUM])


def info_packages(ours: Collection[str]) -> Extension:
    """The extension of INVITE; ``ours`` are those that are registered at each moment."""

    def begin(call: NewCall) -> InfoPackages | None:
        theirs = packages_of(call.invite) if call.invite is not None else None
        recorded = call.invite is None and not call.is_caller
        return InfoPackages(ours, theirs) if ours or recorded or theirs is not None else None

    return Extension(NAME, begin, tagged=False)
