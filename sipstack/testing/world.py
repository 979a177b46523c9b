"""One network, its time, and everybody on it."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipstack.core.keep_alive import PING
from sipstack.identifiers import Identifiers
from sipstack.media.session import AudioSession
from sipstack.testing.audio import SimulatedAudio
from sipstack.testing.clock import Clock, ManualClock
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.ladders import shown
from sipstack.testing.link import PERFECT, Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.network import Departure, Network, Passage, authority
from sipstack.testing.simulated import Failed, Receive, SimulatedEndpoint, SimulatedNetwork
from sipstack.testing.streams import SimulatedStreams
from sipstack.transaction.flow import Address
from sipstack.ua.agent import UserAgent

if TYPE_CHECKING:
    from sipstack.testing.agent import CoreAgent

ADDRESSES = ipaddress.IPv4Network("10.0.0.0/8")
PORT = 5060
MAXIMUM_STEPS = 20_000
"""Moments at which something happens, in one ``run``: more is a loop of messages that never ends."""


class World:
    """One network and everybody on it: user agents, bare cores and scripted peers.

    Under an event loop the loop moves it. Without one it stands still until ``run`` or ``settle``. ``link``
    is the path between any two hosts; ``icmp``: closed ports refuse, instead of swallowing what is sent.
    ``audio``: calls have RTP, which travels over the same network; without, their media is silent, and an
    hour of call costs milliseconds.
    """

    def __init__(
        self, link: Link = PERFECT, *, seed: int = 0, icmp: bool = False, audio: bool = False
    ) -> None:
        self.seed = seed
        self.network = Network(link, seed=seed)
        self.names: dict[str, list[str]] = {}
        """Host names and their addresses: add those that your application looks up."""
        self.simulated = SimulatedNetwork(self.network, names=self.names, icmp=icmp, clock=lambda: self.clock)
        """The network's UDP ports."""
        self.records = self.simulated.records
        """What the DNS has beside ``names``: SRV and NAPTR records, by query."""
        self._rtp = SimulatedAudio(self.simulated)
        self._audio = audio
        self.streams = SimulatedStreams(self.network, seed=seed, clock=lambda: self.clock)
        """The network's TCP connections."""
        self._manual = ManualClock()
        self._running = False
        self._random = random.Random(seed)
        self._placed: dict[Address, str] = {}
        self._cores: list[CoreAgent] = []
        self._agents: list[UserAgent] = []
        self._media: list[SilentMedia] = []
        self._shown = 0

    def __repr__(self) -> str:
        return f"<World of {sorted(self.names)}>"

    # -- user agents ---------------------------------------------------------------------------------------

    def user_agent(self, name: str, **options: Any) -> UserAgent:
        """A user agent ``sip:name@name.test`` on a host of its own, which is found as ``name.test``.

        Options are those of UserAgent; its media is silent unless the world has audio, or you give another:
        ``media=world.audio_session`` is RTP for this agent alone. It listens at port 5060
        of its host; a wildcard in ``listen`` stands for the host. One more option is ``dials``: of these
        transports, such as ``tcp``, it opens connections, where it does not listen. A second one of the same
        name is on the same host: an application that was started again.
        """
        address = self._host(name)
        defaults: dict[str, Any] = {
            "aor": f"sip:{name}@{name}.test",
            "listen": f"udp:{address}:{PORT}",
            "network": HostedNetwork(self.simulated, address, self.streams, options.pop("dials", ())),
            "media": self.audio_session if self._audio else self._new_media,
            "seed": self._random.getrandbits(64),
        }
        agent = UserAgent(**(defaults | options))
        self._agents.append(agent)
        return agent

    def listen(
        self, name: str, address: Address | None, receive: Receive, failed: Failed
    ) -> SimulatedEndpoint:
        """Open an endpoint that ladders call ``name``, and that is not reckoned among the leftovers.

        Without an address it is at port 5060 of a host of its own. The host is found as ``name.test``.
        """
        if address is None:
            address = (self._host(name), PORT)
        else:
            self.names[f"{name}.test"] = [address[0]]
        self._placed[address] = name
        return self.simulated.listen(*address, receive, failed)

    def add_core(self, agent: CoreAgent) -> None:
        """From now on the world keeps the deadlines of this core, and performs what it puts out."""
        self._cores.append(agent)

    def remove_core(self, agent: CoreAgent) -> None:
        """This core is no more: what it was about to do is not done."""
        self._cores.remove(agent)

    def _host(self, name: str) -> str:
        """The address that the host of this name has, or else the first that nobody has."""
        host = f"{name}.test"
        if host not in self.names:
            taken = {address for addresses in self.names.values() for address in addresses}
            self.names[host] = [next(str(free) for free in ADDRESSES.hosts() if str(free) not in taken)]
        return self.names[host][0]

    def audio_session(self, host: str, **options: Any) -> AudioSession:
        """Media whose RTP travels over this network: ``call.play`` and ``call.recording`` work. Options are
        those of AudioSession.
        """
        defaults: dict[str, Any] = {
            "random": Identifiers(self._random),
            "route": lambda _: None,
            "is_ours": lambda _: True,
        }
        return AudioSession(host, bind=self._rtp.bind, **(defaults | options))

    def _new_media(self, host: str) -> SilentMedia:
        media = SilentMedia(host, Identifiers(self._random))
        self._media.append(media)
        return media

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The running event loop, or else the world's own clock, which ``run`` moves."""
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            return self._manual

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self.clock.time()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Do ``action`` at ``time``."""
        self.clock.call_at(time, action)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Do ``action`` in ``delay`` seconds."""
        self.at(self.now + delay, action)

    @property
    def next(self) -> float:
        """When something happens next; infinity when the world is quiet. Without an event loop."""
        return min(self._manual.next, *(core.deadline for core in self._cores), math.inf)

    def run(self, seconds: float = 0.0) -> None:
        """Let ``seconds`` pass, with everything that happens meanwhile.

        Raises RuntimeError under an event loop, which moves the world by itself, and when the world does not
        come to rest.
        """
        self.run_until(self.now + seconds)

    def run_until(self, end: float) -> None:
        """Let time pass until ``end``."""
        if self.clock is not self._manual:
            raise RuntimeError("the event loop moves this world: await what you wait for")
        self._running = True
        try:
            self._go_on_until(end)
        finally:
            self._running = False

    def settle(self) -> None:
        """Let everything happen that is still going to happen, until nobody waits for anything."""
        self.run_until(math.inf)

    def catch_up(self) -> None:
        """Let happen what happens now. Under an event loop it happens by itself: then this does nothing."""
        if self.clock is self._manual and not self._running:
            self.run()

    def _go_on_until(self, end: float) -> None:
        self._drain()
        steps = 0
        while (time := self.next) <= end and time < math.inf:
            steps += 1
            if steps > MAXIMUM_STEPS:
                raise RuntimeError(f"the world does not come to rest: it is {time} s, and still busy")
            self._step(time)
        if end < math.inf:
            self._manual.advance(end)

    def _step(self, time: float) -> None:
        self._manual.advance(time)
        while self._manual.perform():
            self._drain()
        for core in self._cores:
            if core.deadline <= self.now:
                core.timeout()
                self._drain()

    def _drain(self) -> None:
        moved = True
        while moved:
            moved = False
            for core in self._cores:
                moved = core.drain() or moved

    # -- what was sent -------------------------------------------------------------------------------------

    def send(self, source: Address, destination: Address, data: bytes) -> None:
        """Send a datagram from an address, whether or not it is somebody's: for tests that forge."""
        self.simulated.transmit(source, destination, data)

    @property
    def sent(self) -> list[Departure]:
        """Every datagram as it was sent, in order."""
        return self.network.sent

    @property
    def trace(self) -> list[Passage]:
        """Every datagram with its fate, in order."""
        return self.network.trace

    def ladder(self, by: str = "") -> list[str]:
        """Each SIP message sent since the last look, lost ones too: ``alice -> bob 180 Ringing [1 INVITE]``.
        Keep-alives are no messages.

        With ``by`` only those of that name. Compare it with ``sipstack.testing.ladder``.
        """
        return [line for _, line in self.timed_ladder() if not by or line.startswith(f"{by} -> ")]

    def timed_ladder(self) -> list[tuple[float, str]]:
        """The same with the time of sending in seconds, to the millisecond."""
        rtp = self._rtp.opened
        sent = self.sent[self._shown :]
        fresh = [each for each in sent if each.source not in rtp and each.data != PING]
        self._shown = len(self.sent)
        return [(round(time, 3), self._line(a, b, data)) for time, a, b, data in fresh]

    def _line(self, source: Address, destination: Address, data: bytes) -> str:
        return f"{self._name(source)} -> {self._name(destination)} {shown(data)}"

    def _name(self, address: Address) -> str:
        if address in self._placed:
            return self._placed[address]
        host, port = address
        if port == PORT or address in self.streams.sources:
            for name, addresses in self.names.items():
                if host in addresses:
                    return name.removesuffix(".test")
        return authority(address)

    # -- what is left --------------------------------------------------------------------------------------

    @property
    def leftovers(self) -> list[str]:
        """Everything that is still open or running, in words. Empty when everybody has cleaned up."""
        left = [f"endpoint {authority(address)}" for address in self._open()]
        left += [f"listener {authority(address)}" for address in self.streams.listening]
        left += [repr(stream) for stream in self.streams.streams]
        left += [f"{core.name}: {each}" for core in self._cores for each in core.leftovers]
        left += [repr(call) for agent in self._agents for call in agent.calls]
        left += [f"open media {media!r}" for media in self._media if not media.closed]
        return left + _tasks()

    def _open(self) -> list[Address]:
        """The ports of user agents that are open; cores and peers are never closed."""
        return [address for address in self.simulated.listening if address not in self._placed]


def _tasks() -> list[str]:
    """The tasks of the running event loop, other than the one that asks."""
    try:
        current = asyncio.current_task()
    except RuntimeError:
        return []
    return [repr(task) for task in asyncio.all_tasks() if task is not current and not task.done()]
