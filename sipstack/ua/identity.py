"""Who is calling, as far as it can be known (RFC 3323, 3325, 5806, 7044, 8224)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from sipstack.core.outputs import Flow
from sipstack.errors import ParseError
from sipstack.message import Diversion, Headers, HistoryEntry, NameAddr, Request, SipUri, TelUri
from sipstack.ua.trusted import Trusted
from sipstack.usage.content import session_description

if TYPE_CHECKING:
    from sipstack.stir import Verdict, Verifier

HIDING = frozenset(("id", "user", "header"))
"""The values of Privacy by which somebody does not want to be shown (RFC 3323 §4.2, RFC 3325 §9.3)."""

ANONYMOUS_HOST = "anonymous.invalid"
"""In the From of who is not to be known (RFC 3323 §4.1.1.3)."""


@attrs.frozen
class CallerIdentity:
    """Who calls, by his own word and by that of a peer whom we trust."""

    from_: NameAddr
    """By the caller's own word: anybody can write anything here."""
    asserted: tuple[NameAddr, ...] = ()
    """P-Asserted-Identity, of a trusted peer alone: mostly a sip: or a tel: URI, or one of each."""
    preferred: tuple[NameAddr, ...] = ()
    """P-Preferred-Identity: as whom the caller wants to be known; his own word too."""
    privacy: tuple[str, ...] = ()
    """The values of Privacy in lower case."""
    trusted: bool = False
    """Whether the peer that sent it is one of ``UserAgent(trusted=...)``."""

    @property
    def address(self) -> NameAddr:
        """The best that there is: the first one asserted, or else From."""
        return self.asserted[0] if self.asserted else self.from_

    @property
    def anonymous(self) -> bool:
        """Whether the caller is not to be shown to anybody, nor told on, whatever is known of him."""
        return not HIDING.isdisjoint(self.privacy) or _is_anonymous(self.from_)


def _is_anonymous(address: NameAddr) -> bool:
    try:
        uri = address.uri
    except ParseError:
        return False
    return isinstance(uri, SipUri) and uri.host.lower() == ANONYMOUS_HOST


def asserted_in(headers: Headers, flow: Flow | None, trusted: Trusted) -> tuple[NameAddr, ...]:
    """P-Asserted-Identity where it came from a trusted peer: from any other it is not looked at."""
    if flow is None or "P-Asserted-Identity" not in headers or flow.remote[0] not in trusted:
        return ()
    return _callable(headers.readable("P-Asserted-Identity"))


def _callable(addresses: tuple[NameAddr, ...]) -> tuple[NameAddr, ...]:
    """Those that are a sip:, sips: or tel: URI (RFC 3325 §9.1)."""
    found = []
    for address in addresses:
        try:
            if isinstance(address.uri, SipUri | TelUri):
                found.append(address)
        except ParseError:
            continue
    return tuple(found)


class Identified:
    """What an incoming request tells of its sender."""

    if TYPE_CHECKING:

        @property
        def request(self) -> Request: ...

        @property
        def _flow(self) -> Flow: ...

        @property
        def _trusted(self) -> Trusted: ...

    @property
    def identity(self) -> CallerIdentity:
        """Who sent it: by From, and by the word of a trusted peer."""
        request = self.request
        headers = request.headers
        privacy = headers.readable("Privacy") or ()
        return CallerIdentity(
            request.from_,
            asserted_in(headers, self._flow, self._trusted),
            _callable(headers.readable("P-Preferred-Identity")),
            tuple([level.lower() for level in privacy]),
            self._flow.remote[0] in self._trusted,
        )

    @property
    def diversion(self) -> tuple[Diversion, ...]:
        """Whose phones passed the call on, the latest first (RFC 5806). None but the peer vouches for it."""
        found: tuple[Diversion, ...] = self.request.headers.readable("Diversion")
        return found

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        """The targets that it was sent to, oldest first (RFC 7044). None but the peer vouches for it."""
        found: tuple[HistoryEntry, ...] = self.request.headers.readable("History-Info")
        return found

    async def verified(self, verifier: Verifier) -> Verdict:
        """What ``verifier`` says of its signature (RFC 8224). Nothing is refused by that: where the verdict
        is not ``valid``, its ``status`` and ``reason`` are those to refuse with.
        """
        asserted = asserted_in(self.request.headers, self._flow, self._trusted)
        return await verifier.verify(self.request, session_description(self.request), asserted=asserted)
