"""The virtual-time loop: exact jumps, real files and threads beside them, and no hanging."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time

import pytest

from sipstack.testing.loop import HORIZON, LoopStuck, VirtualTimeLoop, run

# --- it never hangs ---


def test_a_deadlock_names_the_tasks_and_where_they_wait() -> None:
    async def wait_for_ever(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        await asyncio.sleep(1.5)
        event = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(wait_for_ever(event), name="callee")
            group.create_task(wait_for_ever(event), name="caller")

    with pytest.raises(LoopStuck) as caught:
        run(main())
    text = str(caught.value)
    assert text.startswith("at 1.5 s of virtual time nothing is scheduled, and these wait:")
    assert text.count("\n") == 3
    for name in ("callee", "caller"):
        assert re.search(
            rf"\n  {name} waits in \S+wait_for_ever \(.+/test_loop.py:\d+\) > Event.wait \(", text
        )


def test_a_deadlock_in_a_plain_future_names_the_line() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(LoopStuck, match=r"main \(.*test_loop\.py:\d+\)"):
        run(main())


def test_running_for_ever_without_a_task_is_stuck_too() -> None:
    loop = VirtualTimeLoop()
    with pytest.raises(LoopStuck, match="no task"):
        loop.run_forever()
    loop.close()


def test_a_periodic_timer_does_not_hide_that_the_test_waits_in_vain() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def refresh() -> None:
            loop.call_later(3600, refresh)

        refresh()
        await asyncio.Event().wait()

    with pytest.raises(LoopStuck, match="beyond the horizon"):
        run(main())


def test_the_loop_can_be_closed_after_it_was_stuck_and_tasks_clean_up() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("main")

    with pytest.raises(LoopStuck):
        run(main())
    assert cleaned == ["main"]


def test_a_thread_that_never_ends_exhausts_the_patience() -> None:
    release = threading.Event()

    async def main() -> None:
        await asyncio.to_thread(release.wait)

    loop = VirtualTimeLoop(patience=0.2)
    task = loop.create_task(main())
    with pytest.raises(LoopStuck, match="no thread and no file became ready in 0.2 s of real time"):
        loop.run_until_complete(task)
    release.set()
    loop.run_until_complete(task)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_a_socket_that_stays_silent_exhausts_the_patience() -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience=0.01)) as runner:

        async def main() -> None:
            near, far = socket.socketpair()
            near.setblocking(False)
            with near, far:
                await asyncio.get_running_loop().sock_recv(near, 100)

        with pytest.raises(LoopStuck, match="real time"):
            runner.run(main())


# --- the clock ---


def test_the_clock_starts_at_zero_and_jumps_exactly() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times = [loop.time()]
        for delay in (0.1, 0.2, 3600.0, 0.5):
            await asyncio.sleep(delay)
            times.append(loop.time())
        loop.call_at(4000.3, lambda: times.append(loop.time()))
        await asyncio.sleep(1000)
        return times

    assert run(main()) == [
        0.0,
        0.1,
        0.1 + 0.2,
        0.1 + 0.2 + 3600.0,
        0.1 + 0.2 + 3600.0 + 0.5,
        4000.3,
    ]


def test_a_month_takes_no_time() -> None:
    async def main() -> float:
        for _ in range(30):
            await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(main()) == 30 * 86_400.0
    assert time.monotonic() - began < 5


def test_the_clock_is_still_exact_at_the_horizon() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(HORIZON - 1)
        await asyncio.sleep(1e-6)
        await asyncio.sleep(0.5)
        return [loop.time()]

    assert run(main()) == [HORIZON - 1 + 1e-6 + 0.5]


def test_time_does_not_pass_while_something_is_ready() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(0.001, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(main()) == 0.0


def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1, lambda: None).cancel()
        await asyncio.sleep(2)
        return loop.time()

    assert run(main()) == 2.0


def test_timeouts_are_virtual() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(32):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == 32.0


def test_two_runs_interleave_alike() -> None:
    async def ticker(name: str, interval: float, seen: list[tuple[float, str]]) -> None:
        for _ in range(50):
            await asyncio.sleep(interval)
            seen.append((asyncio.get_running_loop().time(), name))

    async def main() -> list[tuple[float, str]]:
        seen: list[tuple[float, str]] = []
        await asyncio.gather(ticker("a", 0.02, seen), ticker("b", 0.03, seen), ticker("c", 0.06, seen))
        return seen

    assert run(main()) == run(main())


# --- what is real ---


def test_loopback_datagrams_are_served_before_time_passes() -> None:
    received: list[tuple[float, bytes]] = []

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
            received.append((asyncio.get_running_loop().time(), data))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        receiver, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
        address = receiver.get_extra_info("sockname")
        sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
        sender.sendto(b"one")
        await asyncio.sleep(10)
        sender.sendto(b"two")
        await asyncio.sleep(10)
        sender.close()
        receiver.close()
        await asyncio.sleep(0)

    run(main())
    assert received == [(0.0, b"one"), (10.0, b"two")]


def test_a_socket_is_waited_for_when_nothing_else_is_pending() -> None:
    async def main() -> bytes:
        near, far = socket.socketpair()
        near.setblocking(False)
        with near, far:
            threading.Timer(0.01, far.send, [b"late"]).start()
            return await asyncio.get_running_loop().sock_recv(near, 100)

    assert run(main()) == b"late"


def test_a_job_in_a_thread_takes_no_virtual_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, lambda: None)
        await asyncio.to_thread(time.sleep, 0.02)
        return loop.time()

    assert run(main()) == 0.0


def test_a_cancelled_job_no_longer_holds_the_clock() -> None:
    release = threading.Event()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(None, release.wait)
        job.cancel()
        await asyncio.sleep(60)
        release.set()
        return loop.time()

    assert run(main()) == 60.0


def test_a_failing_job_raises_and_frees_the_clock() -> None:
    async def main() -> float:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert run(main()) == 5.0


def test_names_are_looked_up_in_a_thread() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1, lambda: None)
        await loop.getaddrinfo("127.0.0.1", 5060, type=socket.SOCK_DGRAM)
        return loop.time()

    assert run(main()) == 0.0


def test_a_call_from_a_foreign_thread_is_taken_while_the_loop_is_busy() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(answer.set_result, "called"))
        thread.start()
        await asyncio.to_thread(thread.join)
        return await answer

    assert run(main()) == "called"
