"""A binding of our Contact at a registrar, kept alive (RFC 3261 §10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.errors import ParseError, SipError
from sipstack.message import NameAddr, Request, Response, SipUri
from sipstack.message.grammar import number
from sipstack.message.headers import HeaderFields
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

LONGEST = 2**31
"""Seconds that count as granted at the most."""

Binding = tuple[SipUri, int | None]
"""A Contact of the response, and the seconds that it has left, where they can be read."""


@attrs.frozen
class OfRegistration:
    """Of a binding of ours."""

    registration: RegistrationUsage

    @property
    def receiver(self) -> Any:
        return self.registration.user


@attrs.frozen
class Registered(OfRegistration):
    """The registrar granted the binding for ``expires`` seconds."""

    expires: float
    response: Response


@attrs.frozen
class Unregistered(OfRegistration):
    """The binding is removed, as we asked."""


@attrs.frozen
class RegistrationFailed(OfRegistration):
    """The registrar refused (``response``) or did not answer (``error``). The binding may still stand for a
    while.
    """

    response: Response | None
    error: SipError | None


class RegistrationUsage:
    """Registers one Contact for one address-of-record and refreshes it until ``remove``."""

    __slots__ = (
        "_call_id",
        "_cseq",
        "_expires",
        "_from",
        "_headers",
        "_held",
        "_identity",
        "_core",
        "_next",
        "_refresh_at",
        "_registrar",
        "_removing",
        "_sent",
        "_waiting",
        "scheduled",
        "user",
    )

    def __init__(
        self,
        core: CoreServices,
        registrar: str,
        identity: Identity,
        expires: int,
        headers: HeaderFields = (),
    ) -> None:
        self.user: Any = None
        self._core = core
        self._registrar = registrar
        self._identity = identity
        self._expires = expires
        self._headers = headers
        self._call_id = core.identifiers.call_id()  # the same for all REGISTERs of one boot (§10.2)
        self._from = f"{identity.aor};tag={core.identifiers.tag()}"
        self._cseq = 0
        self._refresh_at = NEVER
        self._removing = False
        self._sent: SentRequest | None = None
        self._held: Flow | None = None  # over which calls come
        self._next: tuple[str | None, HeaderFields] | None = None
        self._waiting = False
        self.scheduled = NEVER

    def __repr__(self) -> str:
        return f"<RegistrationUsage {self._identity.aor} at {self._registrar}>"

    @property
    def deadline(self) -> float:
        return self._refresh_at

    @property
    def request(self) -> Request | None:
        """The REGISTER that went out last; None before that."""
        return self._sent.request if self._sent is not None else None

    def refresh(self, now: float) -> None:
        """Register, or register again. The outcome comes as an event."""
        self._send(f";expires={self._expires}", (), now)

    def remove(self, now: float) -> None:
        """Take our binding away: it expires at once (§10.2.2)."""
        self._removing = True
        self._send(";expires=0", (), now)

    def remove_all(self, now: float) -> None:
        """Take away every binding of the address-of-record, ours and others' (§10.2.2)."""
        self._removing = True
        self._send(None, (("Contact", "*"), ("Expires", "0")), now)

    def timeout(self, now: float) -> None:
        self.refresh(now)

    def faulted(self, error: SipError, now: float) -> None:
        self.request_failed(error, now)

    def _send(self, contact: str | None, headers: HeaderFields, now: float) -> None:
        self._refresh_at = NEVER
        if self._waiting:  # one REGISTER at a time (§10.2): the latest wish is sent after the answer
            self._next = contact, headers
            return
        self._waiting = True
        if self._sent is not None and self._sent.request is not None:
            self._cseq = max(self._cseq, self._sent.request.cseq.number)  # a challenge may have taken numbers
        self._cseq += 1
        draft = Draft(
            "REGISTER",
            self._registrar,
            self._from,
            self._identity.aor,
            self._call_id,
            self._cseq,
            self._identity.routes,
            headers=(*headers, *self._headers),
            contact=contact,
            identity=self._identity,
        )
        self._sent = self._core.send(draft, self, now)

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200 or self._went_on(now):
            return
        if status < 300:
            self._succeeded(response, now)
        elif status == 423 and not self._removing and self._lengthen(response):
            self.refresh(now)
        else:
            self._hold(None, now)
            self._core.emit(RegistrationFailed(self, response, None))

    def request_failed(self, error: SipError, now: float) -> None:
        if not self._went_on(now):
            self._hold(None, now)
            self._core.emit(RegistrationFailed(self, None, error))

    def _went_on(self, now: float) -> bool:
        """A REGISTER is done. Whether another one was waiting for that, and is sent now."""
        self._waiting = False
        waiting, self._next = self._next, None
        if waiting is not None:
            self._send(*waiting, now)
        return waiting is not None

    def _hold(self, flow: Flow | None, now: float) -> None:
        """Keep the way alive that the registrar knows, and no other."""
        if self._held is not None and self._held != flow:
            self._core.release_flow(self._held, self)
        self._held = flow
        if flow is not None:
            self._core.hold_flow(flow, self, None, now)

    def _succeeded(self, response: Response, now: float) -> None:
        if self._removing:
            self._hold(None, now)
            self._core.emit(Unregistered(self))
            return
        granted = self._granted(response)
        if granted == 0.0:  # nothing is bound, and asking again at once will not help
            self._core.emit(RegistrationFailed(self, response, None))
            return
        # Registrars cut off at the second, and many clients must not come back in step: 75-90 % of the time
        self._refresh_at = now + granted * self._core.identifiers.uniform(0.75, 0.9)
        self._core.schedule(self)
        self._hold(None if self._sent is None else self._sent.flow, now)
        self._core.emit(Registered(self, granted, response))

    def _granted(self, response: Response) -> float:
        """The seconds that the registrar granted (§10.2.4): the expires of our Contact, else the Expires
        field, else what it must be at the least.
        """
        bindings = list(_bindings(response))
        ours = _same(self._contact_uri(), bindings)
        granted = next(
            (seconds for seconds in ours if seconds is not None), response.headers.readable("Expires")
        )
        if granted is None:
            listed = [seconds for _, seconds in bindings if seconds is not None]
            # Ours without a time is granted as asked. Where none is ours, it may be any of them, rewritten
            granted = self._expires if ours or not listed else min(self._expires, *listed)
        return float(min(granted, LONGEST))

    def _contact_uri(self) -> SipUri | None:
        request = self.request
        contacts = request.contacts if request is not None else ()
        uri = contacts[0].uri if contacts else None
        return uri if isinstance(uri, SipUri) else None

    def _lengthen(self, response: Response) -> bool:
        """423 Interval Too Brief tells the shortest time that the registrar takes (§10.2.8)."""
        minimum = _seconds(response.headers.get("Min-Expires"))
        if minimum is None or not self._expires < minimum < LONGEST:
            return False
        self._expires = minimum
        return True


def _bindings(response: Response) -> Iterator[Binding]:
    """What can be read of the bindings that the registrar lists: one odd element spoils none beside it."""
    for contact in response.headers.readable("Contact"):
        try:
            uri = contact.uri if isinstance(contact, NameAddr) else None
        except ParseError:
            continue
        if isinstance(uri, SipUri):
            yield uri, _seconds(contact.parameters.get("expires"))


def _seconds(text: str | None) -> int | None:
    try:
        return number(text or "", 10**64, "number of seconds")
    except ParseError:
        return None


def _same(ours: SipUri | None, bindings: list[Binding]) -> list[int | None]:
    """The times of the bindings that are ours: by the URI as a whole (§19.1.4), else by user, host and port,
    because registrars add a parameter or drop one.
    """
    if ours is None:
        return []
    exact = [seconds for uri, seconds in bindings if uri == ours]
    return exact or [seconds for uri, seconds in bindings if _place(uri) == _place(ours)]


def _place(uri: SipUri) -> tuple[str | None, str, int]:
    return uri.user, uri.host.lower(), uri.port or 5060
