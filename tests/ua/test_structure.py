"""How the user agent is put together: no circle among its modules, and nothing works on after it is left."""

from __future__ import annotations

import ast
import asyncio
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from sipstack import Backoff, LocalProtocolError
from sipstack import ua as package
from sipstack.testing.world import World

FOLDER = Path(package.__file__).parent


def imported(path: Path) -> set[str]:
    """The modules of this folder that a file imports anywhere, for types as well."""
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    return {
        str(node.module).rpartition(".")[2] for node in nodes if str(node.module).startswith("sipstack.ua.")
    }


def test_the_modules_import_one_another_without_a_circle() -> None:
    graph = {path.stem: imported(path) for path in FOLDER.glob("*.py")}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert sorted(order) == sorted(graph)
    assert order.index("runtime") < order.index("call") < order.index("invitation") < order.index("agent")


@pytest.mark.virtual_time
async def test_what_is_over_at_once_is_not_waited_for(world: World) -> None:
    """A registration that has not come about yet: there is no binding to remove."""
    loop = asyncio.get_running_loop()
    async with world.user_agent("alice", registrar="sip:nowhere.test") as alice:
        async with alice.register(retry=Backoff(60, 60)) as registration:
            await asyncio.sleep(1)
            assert (registration.active, len(alice._runtime.live)) == (False, 1)
            left = loop.time()
            await alice.__aexit__(None, None, None)
            assert loop.time() == left
    assert world.leftovers == []


@pytest.mark.virtual_time
async def test_the_runtime_takes_no_command_once_it_is_left(world: World) -> None:
    async with world.user_agent("alice") as alice:
        runtime = alice._runtime
        assert runtime.command(runtime.now) == 0.0
    with pytest.raises(LocalProtocolError, match="the user agent was closed"):
        runtime.command(runtime.now)
    assert (runtime.running, runtime.live) == (False, [])
