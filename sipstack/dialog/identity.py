"""The identity in which a request of ours goes out: one of the user agent's accounts."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.bound import Bound
from sipstack.message import NameAddr, SipUri
from sipstack.message.digest import DigestAccount
from sipstack.message.uri import escape_user
from sipstack.transaction.flow import Flow


@attrs.define(frozen=True, eq=True, slots=True, cache_hash=True)
class Identity:
    """An address-of-record, how it is reached, and how it proves itself.

    ``aor`` is our From value, a name-addr such as ``"Alice" <sip:alice@example.com>``; ``user`` the user part
    of our Contact, without escapes; ``accounts`` the credentials for 401 and 407; ``proxy`` a route value
    (``<sip:proxy.example.com;lr>``) that every request outside of a dialog takes first.
    ``credentials_to_callers``: whether a challenge in a call that came in is answered. A stranger can
    call, be hung up, and challenge the BYE: from a digest the password can be guessed. ``bound``: what the
    registrar has told of our binding; it is the same identity with and without. ``trusted``: the hosts, with
    those below them, whose challenges are answered where the request takes no route of ours; None: all.
    ``host``: what stands for our address in Contact, as HOST or HOST:PORT; empty for that of the flow.
    ``asker``: who is asked for the credentials of a realm that no account is for (``CredentialsNeeded``).
    """

    aor: str = "<sip:anonymous@anonymous.invalid>"
    user: str = ""
    accounts: tuple[DigestAccount, ...] = ()
    proxy: str | None = None
    credentials_to_callers: bool = False
    bound: Bound | None = attrs.field(default=None, eq=False, kw_only=True)
    host: str = attrs.field(default="", kw_only=True)
    trusted: frozenset[str] | None = attrs.field(default=None, kw_only=True)
    asker: Any = attrs.field(default=None, kw_only=True)
    withheld: bool = attrs.field(default=False, kw_only=True)
    """Whether it has credentials, which the other side is not given."""
    routes: tuple[str, ...] = attrs.field(init=False, repr=False, eq=False)
    """The route set of a request outside of a dialog (RFC 3261 §8.1.1.1)."""
    _prefix: str = attrs.field(init=False, repr=False, eq=False)
    _bare: Identity | None = attrs.field(init=False, repr=False, eq=False)

    @routes.default
    def _make_routes(self) -> tuple[str, ...]:
        if self.bound is not None:
            return self.bound.routes
        return () if self.proxy is None else (self.proxy,)

    @_prefix.default
    def _make_prefix(self) -> str:
        return f"sip:{escape_user(self.user)}@" if self.user else "sip:"

    @_bare.default
    def _make_bare(self) -> Identity | None:
        if not self.accounts and self.asker is None:
            return None
        return Identity(self.aor, self.user, (), self.proxy, bound=self.bound, host=self.host, withheld=True)

    @property
    def for_callers(self) -> Identity:
        """The identity in a dialog that somebody else began: without credentials unless it says so."""
        return self if self.credentials_to_callers else self._bare or self

    def towards(self, target: str) -> Identity:
        """The identity in a request to ``target``, a URI, and in the dialog that it begins: without
        credentials where the account does not name that host. Who calls everybody is asked by everybody.
        """
        if self.trusted is None or self._bare is None or self.routes:
            return self
        uri = NameAddr.parse(target).uri
        host = uri.host.lower().strip("[]") if isinstance(uri, SipUri) else ""
        return self if any(host == each or host.endswith(f".{each}") for each in self.trusted) else self._bare

    @property
    def unnamed(self) -> Identity:
        """The identity of who is not to be known: no user and no GRUU in Contact (RFC 3323 §4.1)."""
        bound = self.bound and attrs.evolve(self.bound, gruu="")
        return attrs.evolve(self, user="", bound=bound)

    def contact(self, flow: Flow, *, secure: bool = False) -> str:
        """The URI at which the peer behind ``flow`` reaches us; ``secure`` makes it a sips: URI."""
        if secure:
            address = f"sips{self._prefix[3:]}{self.host or flow.secure_contact_address}"
        else:
            address = self._prefix + (self.host or flow.contact_address)
        return address if self.bound is None else self.bound.contact(address, secure=secure)


ANONYMOUS = Identity()
