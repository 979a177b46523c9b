"""What every user agent answers beside calls: each service in a file of its own, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sipstack.core.core import Core
from sipstack.ua.asking import Asking
from sipstack.ua.events import Events
from sipstack.ua.info import Info
from sipstack.ua.referral import Referrals
from sipstack.ua.replacing import Replacing
from sipstack.ua.runtime import Runtime
from sipstack.ua.texts import Texts
from sipstack.ua.transfer import Transfers


class Service(Protocol):
    """Answers requests of some methods, and hears the events of its usages."""

    def register(self, core: Core) -> None:
        """Have ``core`` answer, until the application does so itself."""


SERVICES: tuple[Callable[[Runtime], Service], ...] = (
    Asking,
    Info,
    Events,
    Replacing,
    Transfers,
    Referrals,
    Texts,
)


def start_services(runtime: Runtime) -> None:
    """Register all of them."""
    for make in SERVICES:
        service = make(runtime)
        service.register(runtime.core)
        runtime.services[type(service)] = service
