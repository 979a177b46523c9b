"""Who a user agent is and where: its accounts, its addresses, what it runs in."""

from __future__ import annotations

import contextlib

from sipstack.errors import LocalProtocolError, TransportError
from sipstack.message import NameAddr
from sipstack.ua.account import OURSELVES, Account, Sender
from sipstack.ua.arguments import (
    check_max_forwards,
    from_value,
)
from sipstack.ua.call import Call
from sipstack.ua.runtime import Runtime

NOT_RUNNING = "the user agent is not running: use it inside of `async with UserAgent(...)`"


class AgentBase:
    """What all that a user agent asks for has in common."""

    # before __init__: a debugger may show one whose arguments were refused
    _accounts: tuple[Account, ...] = ()
    _running: Runtime | None = None

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        self._accounts = accounts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.aor} calls={len(self.calls)}>"

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Our own account, then those given as ``accounts``."""
        return self._accounts

    @property
    def aor(self) -> str:
        """The address-of-record of our own account."""
        return self._accounts[0].aor if self._accounts else ""

    @property
    def running(self) -> bool:
        """Whether we are inside of the ``async with`` block."""
        return self._running is not None

    @property
    def _runtime(self) -> Runtime:
        """Raises LocalProtocolError outside of the ``async with`` block."""
        if self._running is None:
            raise LocalProtocolError(NOT_RUNNING)
        return self._running

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each address we listen on, as bound."""
        return [
            (endpoint.transport.name.lower(), *endpoint.local)
            for endpoint in self._runtime.driver.endpoints
            if endpoint.local[1]
        ]

    @property
    def contact(self) -> str:
        """The URI at which this user agent is reached directly; a wildcard address as the default route shows
        it.
        """
        endpoint = self._runtime.driver.endpoints[0]
        host = endpoint.local[0]
        probes = ("2001:db8::1", "::1") if ":" in host else ("192.0.2.1", "127.0.0.1")
        for probe in probes:
            with contextlib.suppress(TransportError):
                return self._accounts[0]._identity.contact(endpoint.flow_to((probe, 5060)))
        return self._accounts[0]._identity.contact(endpoint.flow_to(endpoint.local))

    @property
    def calls(self) -> list[Call]:
        """The calls that are established."""
        live = [] if self._running is None else self._running.live
        return [thing for thing in live if isinstance(thing, Call)]

    def _sender(self, account: Account | None, from_: str | NameAddr | None, max_forwards: int) -> Sender:
        """Raises LocalProtocolError for an account that is not ours, and for what cannot be written."""
        account = self._known(account)
        user = account._unnamed_user
        if account is self._accounts[0] and from_ is None and max_forwards == 70 and not user:
            return OURSELVES
        check_max_forwards(max_forwards)
        return Sender(account._identity, "" if from_ is None else from_value(from_), max_forwards, user)

    def _known(self, account: Account | None) -> Account:
        """``account``, or the first. Raises LocalProtocolError for one that is not ours."""
        if account is not None and account not in self._accounts:
            raise LocalProtocolError(f"{account.aor} is not an account of this user agent: give it accounts=")
        return account or self._accounts[0]
