"""The accounts of a user agent: an address-of-record, its credentials, and where its requests go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs

from sipstack.core.commands import InWhoseName
from sipstack.core.configuration import Identity
from sipstack.core.credentials import Asker, CredentialsQuestion
from sipstack.core.web_resource import WebResource
from sipstack.message import NameAddr, SipUri, parse_uri
from sipstack.message.digest import DigestAccount
from sipstack.message.hashing import Ha1, as_password
from sipstack.message.secret import Secret, secret_or_none
from sipstack.ua.arguments import (
    address_of_record,
    check_algorithm,
    check_contact_host,
    check_host,
    check_instance,
    check_text,
    loose_route,
    sip_uri,
)
from sipstack.ua.web_proxy import WebProxy

Password = str | Secret | Ha1
"""What proves who we are: a password, or for one realm what is made of it."""
Ask = Callable[[CredentialsQuestion], Awaitable[tuple[str, Password] | None]]
"""Asked for the user name and the password when a realm challenges; None for none."""
Credentials = Mapping[str, tuple[str, Secret | Ha1]] | Ask


def _concealed(credentials: Mapping[str, tuple[str, Password]] | Ask) -> Credentials:
    if callable(credentials):
        return credentials
    return {realm: (user, as_password(password)) for realm, (user, password) in credentials.items()}


def _hosts(credentials_to: Sequence[str]) -> tuple[str, ...]:
    hosts = (credentials_to,) if isinstance(credentials_to, str) else tuple(credentials_to)
    for host in hosts:
        if host != ANYONE:
            check_host(host)
    return hosts


ANYONE = "*"
"""In ``credentials_to``: every host there is."""
ANONYMOUS = "sip:anonymous@anonymous.invalid"
"""The address-of-record of who gives none."""


@attrs.frozen(eq=False)
class Account:
    """One identity at one provider. Raises LocalProtocolError for what is no SIP URI.

    ``aor``: the address-of-record, such as ``sip:alice@example.com``. Where it is ``ANONYMOUS`` and there
    is a ``username``, From is that user at the host of the target, or of the registrar: servers look there
    for who it is.
    ``password``, ``username``: for 401 and 407 of every realm that has no credentials of its own; the user
    name is that of the address-of-record if not given.
    ``credentials``: (user name, password) by realm; an ``Ha1`` may stand in place of each password. Or an
    async function, which is asked when a realm challenges that has no password: it takes a
    ``CredentialsQuestion`` and gives (user name, password), or None. Its answer is kept until it is refused.
    The request waits meanwhile, so bound it by ``asyncio.timeout`` where a person is asked.
    ``credentials_to``: hosts that get a digest beside those that the account names: the domain of the
    address-of-record, the registrar, with all below them, and everybody where a ``proxy`` is between. From a
    digest a password can be guessed, and a realm is only the text of whoever asks; so a stranger who is
    called directly gets none. ``"*"`` is everybody. An account without address-of-record names whom it calls.
    ``registrar``: the URI to register at; the domain of the address-of-record if not given.
    ``proxy``: the URI that every request outside of a dialog goes to first; or the URL of a WebSocket, such
    as ``wss://pbx.example.com:8089/ws``.
    ``weakest_algorithm``: MD5, SHA-256 or SHA-512-256: no digest of a weaker one is ever given. Within that a
    server gets none that is weaker than what it has taken before.
    ``credentials_to_callers``: whether a challenge in a call that came in is answered. Off, for anybody can
    call, and a password can be guessed from the digest; a trunk that challenges our BYE needs it.
    ``instance``: the URN of this device, such as ``urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6``, for the
    registrar (RFC 5626 §4.1) and for a GRUU. Make it once, ``uuid.uuid4().urn``, and keep it with your
    settings: then a registrar knows the device again after a restart, and its old binding is replaced instead
    of getting calls until it expires. Without it one is made each time that outbound needs it.
    ``contact_host``: ``HOST`` or ``HOST:PORT`` of our Contact, in place of the address that we are bound to:
    that of a cluster, or of the proxy in front of it, by which the requests in a call reach any of its nodes.
    Parameters come back with each of them: by ``cluster.example.com;node=n1`` a proxy finds the one that has
    the call, while that is there; or another node does (``UserAgent(nodes=...)``).
    """

    aor: str
    password: Secret | None = attrs.field(default=None, kw_only=True, repr=False, converter=secret_or_none)
    username: str | None = attrs.field(default=None, kw_only=True)
    display_name: str = attrs.field(default="", kw_only=True)
    credentials: Credentials = attrs.field(factory=dict, kw_only=True, repr=False, converter=_concealed)
    credentials_to: Sequence[str] = attrs.field(default=(), kw_only=True, converter=_hosts)
    registrar: str | None = attrs.field(default=None, kw_only=True)
    proxy: str | None = attrs.field(default=None, kw_only=True)
    weakest_algorithm: str = attrs.field(default="MD5", kw_only=True)
    credentials_to_callers: bool = attrs.field(default=False, kw_only=True)
    instance: str | None = attrs.field(default=None, kw_only=True)
    contact_host: str | None = attrs.field(default=None, kw_only=True)

    _identity: Identity = attrs.field(init=False, repr=False)
    """The account as the core knows it."""

    @_identity.default
    def _make_identity(self) -> Identity:
        check_text(self.from_)
        for account in self.digest:
            check_text(account.username)
            check_text(account.realm or "")
        if self.registrar is not None:
            sip_uri(self.registrar, "sip:example.com")
        check_algorithm(self.weakest_algorithm)
        if self.instance is not None:
            check_instance(self.instance)
        if self.contact_host is not None:
            check_contact_host(self.contact_host)
        user = str(self.uri.user or "")
        return Identity(
            self.from_,
            user,
            self.digest,
            self.route,
            self.credentials_to_callers,
            host=self.contact_host or "",
            trusted=self._trusted,
            asker=Asker(self.credentials, self.weakest_algorithm) if callable(self.credentials) else None,
        )

    @property
    def _trusted(self) -> frozenset[str] | None:
        """The hosts that get a digest; None for all."""
        if self.aor == ANONYMOUS or ANYONE in self.credentials_to:
            return None
        named = {self.uri.host, *self.credentials_to}
        if self.registrar is not None:
            named.add(sip_uri(self.registrar, "sip:example.com").host)
        return frozenset(host.lower().strip("[]") for host in named)

    @property
    def uri(self) -> SipUri:
        """The address-of-record as a value."""
        return address_of_record(self.aor)

    @property
    def from_(self) -> str:
        """Our From value without its tag: a name-addr, such as ``"Alice" <sip:alice@example.com>``."""
        return str(NameAddr(self.uri, self.display_name))

    @property
    def route(self) -> str | None:
        """The Route value of requests outside of a dialog, such as ``<sip:proxy.example.com;lr>``."""
        if self.proxy is None:
            return None
        web = WebProxy.parse(self.proxy)
        return loose_route(self.proxy) if web is None else web.route

    @property
    def _web_resource(self) -> WebResource | None:
        """What the WebSocket of ``proxy`` asks for, where that is a ws: or wss: URL."""
        web = WebProxy.parse(self.proxy or "")
        return None if web is None else web.resource

    @property
    def registrar_uri(self) -> str:
        """The Request-URI of REGISTER (RFC 3261 §10.2)."""
        uri = self.uri
        if self.registrar is not None:
            return str(sip_uri(self.registrar, "sip:example.com"))
        return f"{uri.scheme}:{uri.host}" + (f":{uri.port}" if uri.port else "")

    @property
    def digest(self) -> tuple[DigestAccount, ...]:
        """The credentials for 401 and 407: those of single realms, then those of all others."""
        weakest, credentials = self.weakest_algorithm, self.credentials
        known = {} if callable(credentials) else credentials
        of_realms = [DigestAccount(user, secret, realm, weakest) for realm, (user, secret) in known.items()]
        if self.password is None:
            return tuple(of_realms)
        username = self.username or self.uri.user or ""
        return (*of_realms, DigestAccount(username, self.password, None, weakest))

    @property
    def _unnamed_user(self) -> str:
        """The user name of an account that has no address-of-record: it stands for one at whom we ask."""
        return (self.username or "") if self.aor == ANONYMOUS else ""

    def _identity_at(self, registrar: str) -> Identity:
        """The account as ``registrar``, a URI, knows it."""
        user = self._unnamed_user
        return (
            attrs.evolve(self._identity, aor=_from_at(user, registrar), user=user) if user else self._identity
        )


def _from_at(user: str, target: str) -> str:
    """A From value: ``user`` at the host of ``target``."""
    uri = parse_uri(target)
    return f"<{SipUri(uri.host, None, user, scheme=uri.scheme)}>" if isinstance(uri, SipUri) else ""


@attrs.frozen
class Sender:
    """In whose name a request goes out, and how far. The default is the user agent's own account."""

    identity: Identity | None = None
    from_: str = ""
    """A From value without its tag, in place of the account's."""
    max_forwards: int = 70
    user: str = ""
    """Without ``from_``: the user that we are at the host of the target."""

    def from_towards(self, target: str) -> str:
        """``from_`` of a request to ``target``; empty for that of the account."""
        return self.from_ or (_from_at(self.user, target) if self.user else "")

    def towards(self, target: str) -> InWhoseName:
        """The keywords of the core's commands for a request to ``target``."""
        return {
            "identity": self.identity,
            "from_": self.from_towards(target),
            "max_forwards": self.max_forwards,
        }


OURSELVES = Sender()
