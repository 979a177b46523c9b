"""The event packages of a user agent: those of its subscriptions and notifiers, announced while they last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipstack.core.core import Core
from sipstack.core.registry import Method, Package, Registry, Withdraw
from sipstack.errors import LocalProtocolError
from sipstack.log import TRANSACTION
from sipstack.ua.runtime import Runtime
from sipstack.usage.notification import NotifierUsage
from sipstack.usage.subscribe_server import SubscribeServer
from sipstack.usage.unsolicited import UnsolicitedServer


class Shared:
    """Registrations that several have in common: each is made for the first and withdrawn with the last."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, Withdraw]] = {}

    def hold(self, name: str, register: Callable[[], Withdraw]) -> Withdraw:
        """``register`` unless it is done; returns what gives it up."""
        count, withdraw = self._held.get(name) or (0, register())
        self._held[name] = count + 1, withdraw

        def release() -> None:
            count, withdraw = self._held.pop(name)
            if count > 1:
                self._held[name] = count - 1, withdraw
            else:
                withdraw()

        return release


class Events:
    """The event packages of a user agent. Without subscription or notifier none is registered."""

    def __init__(self, runtime: Runtime) -> None:
        self._takers: dict[str, Any] = {}
        self._notifiers: dict[str, NotifierUsage] = {}
        self._shared = Shared()
        self._core: Core = runtime.core

    def register(self, core: Core) -> None:
        """See ``services.Service``."""

    @property
    def _registry(self) -> Registry:
        return self._core.registry

    def subscribe(self, package: str) -> Withdraw:
        """NOTIFY of ``package`` is taken until the returned function is called."""
        server = UnsolicitedServer(self._core, self._takers)
        return self._hold(package, Method("NOTIFY", server.serve, by_event=True))

    def take(self, package: str, taker: Any) -> Withdraw:
        """``taker`` hears of NOTIFYs of ``package`` outside of subscriptions. Raises LocalProtocolError."""
        release = self._claim(self._takers, package, taker, self.subscribe)
        TRANSACTION.info("NOTIFY of %s is taken without a subscription", package)
        return release

    def notify(self, package: str, notifier: NotifierUsage) -> Withdraw:
        """``notifier`` serves the SUBSCRIBEs to ``package``. Raises LocalProtocolError."""
        return self._claim(self._notifiers, package, notifier, self._serve)

    def _serve(self, package: str) -> Withdraw:
        server = SubscribeServer(self._core, self._notifiers)
        return self._hold(package, Method("SUBSCRIBE", server.serve, by_event=True))

    def _claim(
        self, table: dict[str, Any], package: str, owner: Any, register: Callable[[str], Withdraw]
    ) -> Withdraw:
        if package in table:
            raise LocalProtocolError(f"the user agent has somebody for {package} already")
        release = register(package)
        table[package] = owner

        def give_up() -> None:
            table.pop(package, None)
            release()

        return give_up

    def _hold(self, package: str, method: Method) -> Withdraw:
        of_method = self._shared.hold(method.name, lambda: self._registry.add_method(method))
        of_package = self._shared.hold(
            f"package {package}", lambda: self._registry.add_package(Package(package, self))
        )

        def release() -> None:
            of_method()
            of_package()

        return release
