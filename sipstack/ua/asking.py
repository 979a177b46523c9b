"""Credentials that are asked for when a realm challenges: of a vault, of a person."""

from __future__ import annotations

import asyncio

from sipstack.core.core import Core
from sipstack.core.credentials import CredentialsNeeded, CredentialsQuestion
from sipstack.log import TRANSACTION
from sipstack.message.digest import DigestAccount
from sipstack.ua.runtime import Runtime


class Asking:
    """Asks whom the account names, once for all requests that wait for the same answer."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: dict[tuple[object, CredentialsQuestion], list[CredentialsNeeded]] = {}

    def register(self, core: Core) -> None:
        core.credentials_user = self

    def _on_event(self, event: CredentialsNeeded) -> None:
        key = event.asker, event.question
        if key in self._waiting:
            self._waiting[key].append(event)
            return
        self._waiting[key] = [event]
        self._runtime.spawn(self._ask(key, event))

    async def _ask(self, key: tuple[object, CredentialsQuestion], event: CredentialsNeeded) -> None:
        question, account = event.question, None
        try:
            account = await self._answer(event)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            message = f"no credentials for the realm {question.realm!r}: who was asked raised"
            self._runtime.loop.call_exception_handler({"message": message, "exception": error})
        finally:
            if account is None:
                TRANSACTION.info("there are no credentials for the realm %r", question.realm)
            runtime = self._runtime
            for each in self._waiting.pop(key):
                if runtime.running:
                    runtime.command(each.request.supply, question.realm, account, runtime.now())

    async def _answer(self, event: CredentialsNeeded) -> DigestAccount | None:
        given = await event.asker.ask(event.question)
        if given is None:
            return None
        username, password = given
        return DigestAccount(username, password, event.question.realm, event.asker.weakest)
