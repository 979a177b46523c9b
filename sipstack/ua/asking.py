"""Credentials that are asked for when a realm challenges: of a vault, of a person."""

from __future__ import annotations

import asyncio

from sipstack.core.core import Core
from sipstack.core.credentials import Challenged, CredentialsNeeded, CredentialsQuestion, CredentialsUnwanted
from sipstack.log import TRANSACTION
from sipstack.message.digest import DigestAccount
from sipstack.ua.runtime import Runtime

Key = tuple[object, CredentialsQuestion]


class Asking:
    """Asks whom the account names, once for all requests that wait for the same answer."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: dict[Key, list[CredentialsNeeded]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def register(self, core: Core) -> None:
        core.credentials_user = self

    def _on_event(self, event: CredentialsNeeded | CredentialsUnwanted) -> None:
        if isinstance(event, CredentialsUnwanted):
            self._forget(event.request)
            return
        key = event.asker, event.question
        if key in self._waiting:
            self._waiting[key].append(event)
            return
        self._waiting[key] = [event]
        self._runtime.spawn(self._ask(key, event))

    def _forget(self, request: Challenged) -> None:
        """When nobody waits any more, whoever is asked is left in peace."""
        for key, waiting in self._waiting.items():
            waiting[:] = [each for each in waiting if each.request is not request]
            if not waiting and key in self._tasks:
                self._tasks[key].cancel()

    async def _ask(self, key: Key, event: CredentialsNeeded) -> None:
        runtime, question, account = self._runtime, event.question, None
        task = asyncio.current_task()
        assert task is not None
        self._tasks[key] = task
        try:
            if self._waiting[key]:
                account = await self._answer(event)
        except Exception as error:
            message = f"no credentials for the realm {question.realm!r}: who was asked raised"
            runtime.loop.call_exception_handler({"message": message, "exception": error})
        finally:
            if account is None:
                TRANSACTION.info("there are no credentials for the realm %r", question.realm)
            del self._tasks[key]
            for each in self._waiting.pop(key):
                if runtime.running:
                    runtime.command(each.request.supply, question.realm, account, runtime.now())

    async def _answer(self, event: CredentialsNeeded) -> DigestAccount | None:
        given = await event.asker.ask(event.question)
        if given is None:
            return None
        username, password = given
        return DigestAccount(username, password, event.question.realm, event.asker.weakest)
