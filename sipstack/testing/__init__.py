"""For tests, ours and yours: a simulated network, virtual time, and a world of user agents on it.

A test of your application needs no sockets and no waiting. ``sip_world`` is a fixture of the pytest plugin,
which is there once sipstack is installed; a test that uses it runs in virtual time::

    async def test_my_ivr_says_goodbye_after_a_minute(sip_world):
        async with sip_world.user_agent("alice") as alice, sip_world.user_agent("ivr") as ivr:
            async with ivr.serving(my_handler), alice.call("sip:ivr@ivr.test") as call:
                assert (await call.ended()).by == "remote"
        assert sip_world.leftovers == []

**A bad network.** Make the ``World`` yourself; the same seed gives the same ``trace``, byte for byte::

    @pytest.mark.virtual_time
    @pytest.mark.parametrize("seed", range(100))
    async def test_a_call_survives(seed):
        world = World(Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1), seed=seed)

``world.network`` can be cut (``partition``, ``heal``), hosts can be switched off (``down``, ``up``), and each
direction of each path can have a ``Link`` of its own (``set_link``). ``world.names`` are the host names that
can be resolved.

**Audio.** Media is silent, so that an hour of call costs milliseconds. In ``World(audio=True)`` calls have
RTP, which travels over the same network, in the same time; an IVR can be heard::

    async with ivr.serving(my_handler), alice.call("sip:ivr@ivr.test") as call:
        async with call.recording("heard.wav"):
            await call.play("question.wav")

**A far end that does what you say.** A ``ScriptedPeer`` has no rules of its own. It answers by hand or by a
function, and writes requests within or outside of dialogs, right or wrong; a ``ScriptedRegistrar`` grants
bindings, and challenges with a ``Challenger``::

    def busy(request):
        return [] if request.method == "ACK" else [request.response(486, to_tag="x")]

    carol = ScriptedPeer(sip_world, "carol", on_request=busy)

**Whole call flows.** A ladder shows what was sent since the last look; the spacing is yours::

    assert sip_world.ladder() == ladder('''
        alice -> carol    INVITE sip:carol@carol.test [1]
        carol -> alice    486 Busy Here [1 INVITE]
        alice -> carol    ACK sip:carol@carol.test [1]
    ''')

**No event loop at all.** A ``CoreAgent`` is the protocol alone, a pure state machine. Without a loop the
world stands still until ``world.run(seconds)`` or ``world.settle()``; thousands of calls take seconds::

    def test_ringing():
        world = World()
        alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol")
        alice.call(carol.uri)
        carol.answer(carol.request, 180)
        assert alice.told == ["Progressed"]

**Connections.** ``world.streams`` carries TCP: reliable, in order, cut into pieces where you say, reset or
silent. A ``SimulatedStream`` is an asyncio transport.

**A process of its own.** ``ScriptedPeer(Loopback(), "carol")`` stands at a real UDP port of this machine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipstack.testing.agent import CoreAgent
    from sipstack.testing.ladders import ladder, timed
    from sipstack.testing.link import Link
    from sipstack.testing.loop import VirtualTimeLoop
    from sipstack.testing.loopback import Loopback
    from sipstack.testing.media import SilentMedia
    from sipstack.testing.network import Network
    from sipstack.testing.peer import ScriptedPeer
    from sipstack.testing.registrar import Challenger, ScriptedRegistrar
    from sipstack.testing.stream import SimulatedStream
    from sipstack.testing.world import World

__all__ = [
    "Challenger",
    "CoreAgent",
    "Link",
    "Loopback",
    "Network",
    "ScriptedPeer",
    "ScriptedRegistrar",
    "SilentMedia",
    "SimulatedStream",
    "VirtualTimeLoop",
    "World",
    "ladder",
    "timed",
]

_HOMES = {
    "Challenger": "registrar",
    "CoreAgent": "agent",
    "Link": "link",
    "Loopback": "loopback",
    "Network": "network",
    "ScriptedPeer": "peer",
    "ScriptedRegistrar": "registrar",
    "SilentMedia": "media",
    "SimulatedStream": "stream",
    "VirtualTimeLoop": "loop",
    "World": "world",
    "ladder": "ladders",
    "timed": "ladders",
}


def __getattr__(name: str) -> Any:
    """Import on first use: pytest loads this package for its plugin, in projects that may not use it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sipstack.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"sipstack.testing.{_HOMES[name]}"), name)
    return value
