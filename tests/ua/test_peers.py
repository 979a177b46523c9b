"""Who may end a call, as an application chooses it."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering

pytestmark = pytest.mark.virtual_time

STOLEN = [("remote", "")]
"""How the call ends by a BYE that says nothing of why."""


@pytest.mark.parametrize(("peers", "status"), [("anyone", 200), ("route", 481), ("flow", 481)])
async def test_a_bye_with_stolen_tags(world: World, peers: str, status: int) -> None:
    callee = Answering()
    async with world.user_agent("bob", peers=peers) as bob, bob.serving(callee):
        async with world.user_agent("alice") as alice, ScriptedPeer(world, "eve") as eve:
            async with alice.call("sip:bob.test") as call:
                await asyncio.sleep(1)
                (usages,) = alice._runtime.core._dialogs.values()  # what eve has overheard
                dialog = usages.dialog
                stolen = {"From": dialog.local, "To": dialog.remote, "Call-ID": call.id}
                bye = eve.write("BYE", "sip:bob.test", cseq=9, headers=stolen.items())
                eve.send((world.names["bob.test"][0], 5060), bye)
                await eve.responded(1)
                assert eve.response.status == status
                assert callee.ends == (STOLEN if status == 200 else [])
            await asyncio.sleep(1)
            assert callee.ends == (STOLEN if status == 200 else [HUNG_UP])
