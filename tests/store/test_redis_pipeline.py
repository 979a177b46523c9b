"""What waits for Redis, over connections that are made up: in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest

from sipstack.errors import StoreError
from sipstack.store.redis_clock import ServerClock
from sipstack.store.redis_command import FAILED, Command, Lost, Refusal
from sipstack.store.redis_pipeline import (
    BATCH,
    LONGEST_PAUSE,
    MOST_OCTETS,
    MOST_WAITING,
    PATIENCE,
    REPLICA_PATIENCE,
    Pipeline,
)

pytestmark = pytest.mark.virtual_time

Commands = Sequence[tuple[bytes | int, ...]]


def echo(commands: Commands) -> list[Any]:
    return [command[0] for command in commands]


@attrs.define
class ToyLine:
    """Replies after ``delay`` what ``reply`` makes of a batch."""

    reply: Callable[[Commands], list[Any]] = echo
    delay: float = 0.01
    clock: ServerClock = attrs.field(factory=ServerClock)
    primary: tuple[str, int] | None = None
    batches: list[Commands] = attrs.field(factory=list)
    is_closed: bool = False

    async def ask(self, commands: Commands) -> list[Any]:
        self.batches.append(commands)
        await asyncio.sleep(self.delay)
        return self.reply(commands)

    async def close(self) -> None:
        self.is_closed = True


@attrs.define
class Server:
    """Gives one line after the other; none while there is none."""

    lines: list[ToyLine] = attrs.field(factory=list)
    attempts: list[float] = attrs.field(factory=list)
    replicas: int = 0

    async def connect(self) -> ToyLine:
        self.attempts.append(now())
        if not self.lines:
            raise StoreError("nobody is there")
        return self.lines.pop(0)

    async def pipeline(self) -> Pipeline:
        made = Pipeline(self.connect, lambda: None, self.replicas, "Redis at test")
        await made.open(self.lines.pop(0))
        return made


@attrs.define
class Answer:
    reply: Any = None
    at: Any = None

    def told(self, reply: Any) -> None:
        assert self.at is None, "it was told before"
        self.reply, self.at = reply, now()


def submit(pipeline: Pipeline, part: bytes, octets: int = 100, **arguments: Any) -> Answer:
    answer = Answer()
    pipeline.submit(Command((part,), answer.told, octets, **arguments))
    return answer


def now() -> float:
    return asyncio.get_running_loop().time()


# -- batches -----------------------------------------------------------------------------------------------


async def test_what_is_asked_in_one_turn_goes_out_together() -> None:
    line = ToyLine()
    pipeline = await Server([line]).pipeline()
    answers = [submit(pipeline, b"%d" % number) for number in range(50)]
    await asyncio.sleep(0.05)
    assert [len(batch) for batch in line.batches] == [50]
    assert [answer.reply for answer in answers] == [b"%d" % number for number in range(50)]
    await pipeline.close()


async def test_what_is_asked_meanwhile_goes_out_with_the_next() -> None:
    line = ToyLine(delay=0.1)
    pipeline = await Server([line]).pipeline()
    began = now()
    first = submit(pipeline, b"first")
    await asyncio.sleep(0.05)
    later = [submit(pipeline, b"later") for _ in range(3)]
    await asyncio.sleep(0.2)
    assert [len(batch) for batch in line.batches] == [1, 3]
    assert first.at == pytest.approx(began + 0.1)
    assert later[0].at == pytest.approx(began + 0.2)
    await pipeline.close()


async def test_a_batch_is_bounded() -> None:
    line = ToyLine()
    pipeline = await Server([line]).pipeline()
    for _ in range(BATCH + 1):
        submit(pipeline, b"small")
    for _ in range(5):
        submit(pipeline, b"large", octets=2**20)
    await asyncio.sleep(0.2)
    assert [len(batch) for batch in line.batches] == [BATCH, 2, 1, 1, 1, 1]
    await pipeline.close()


async def test_what_waits_is_bounded() -> None:
    pipeline = await Server([ToyLine(delay=1.0)]).pipeline()
    answers = [submit(pipeline, b"small", octets=0) for _ in range(MOST_WAITING + 1)]
    assert [answer.reply for answer in answers] == [None] * MOST_WAITING + [FAILED]
    await pipeline.close()
    pipeline = await Server([ToyLine(delay=1.0)]).pipeline()
    large = [submit(pipeline, b"large", octets=MOST_OCTETS // 2) for _ in range(3)]
    assert [answer.reply for answer in large] == [None, None, FAILED]
    await asyncio.sleep(5)
    assert submit(pipeline, b"large", octets=MOST_OCTETS).reply is None  # there is room again
    await pipeline.close()


async def test_a_fault_of_who_asked_disturbs_nobody_else() -> None:
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: faults.append(context["exception"])
    )
    pipeline = await Server([ToyLine()]).pipeline()

    def fails(reply: Any) -> None:
        raise ValueError("a fault")

    pipeline.submit(Command((b"first",), fails))
    second = submit(pipeline, b"second")
    await asyncio.sleep(0.05)
    assert (second.reply, [str(fault) for fault in faults]) == (b"second", ["a fault"])
    await pipeline.close()


# -- time --------------------------------------------------------------------------------------------------


async def test_each_has_its_own_time_and_the_connection_the_time_of_the_batch() -> None:
    """Nobody waits for longer than 1.5 s. A second connection is made when the first has had as long."""
    stuck, fresh = ToyLine(delay=1000), ToyLine()
    server = Server([stuck, fresh])
    pipeline = await server.pipeline()
    began = now()
    first = submit(pipeline, b"first")
    await asyncio.sleep(1.0)
    second = submit(pipeline, b"second")
    await asyncio.sleep(1.0)
    assert (first.reply, first.at) == (FAILED, pytest.approx(began + PATIENCE))
    assert (second.reply, second.at) == (b"second", pytest.approx(began + PATIENCE + 0.01))
    assert (stuck.is_closed, fresh.batches) == (True, [[(b"second",)]])
    await pipeline.close()


async def test_what_is_old_when_it_goes_out_does_not_condemn_the_connection() -> None:
    slow = ToyLine(delay=1.0)
    pipeline = await Server([slow]).pipeline()
    submit(pipeline, b"first")
    await asyncio.sleep(0.1)
    second = submit(pipeline, b"second")  # goes out after 0.9 s, and its reply comes after 1.9 s
    third_asked = now() + 0.8
    await asyncio.sleep(0.8)
    third = submit(pipeline, b"third")
    await asyncio.sleep(2.0)
    assert second.reply is FAILED
    assert (third.reply, third.at) == (b"third", pytest.approx(third_asked + 1.1))
    assert not slow.is_closed
    await pipeline.close()


async def test_while_it_is_known_to_be_away_nobody_waits() -> None:
    pipeline = await Server([ToyLine(delay=1000)]).pipeline()
    submit(pipeline, b"first")
    await asyncio.sleep(PATIENCE + 0.01)
    assert submit(pipeline, b"second").reply is FAILED
    await pipeline.close()


async def test_it_is_looked_for_less_and_less_and_twice_a_second_in_the_end() -> None:
    server = Server([ToyLine(delay=1000)])
    pipeline = await server.pipeline()
    submit(pipeline, b"first")
    await asyncio.sleep(30)
    pauses = [after - before for before, after in zip(server.attempts, server.attempts[1:], strict=False)]
    assert pauses[:5] == pytest.approx([0.05, 0.1, 0.2, 0.4, LONGEST_PAUSE])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)
    server.lines.append(ToyLine())
    await asyncio.sleep(LONGEST_PAUSE)
    answer = submit(pipeline, b"second")
    await asyncio.sleep(0.05)
    assert answer.reply == b"second"
    await pipeline.close()


async def test_connections_that_end_at_once_are_not_made_in_a_circle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def cut(commands: Commands) -> list[Any]:
        raise Lost("cut", [])

    server = Server([ToyLine(cut) for _ in range(1000)])
    with caplog.at_level(logging.INFO, "sipstack"):
        pipeline = await server.pipeline()
        for _ in range(100):
            submit(pipeline, b"again")
            await asyncio.sleep(0.1)
        assert len(server.attempts) < 30
    await pipeline.close()


# -- connections that end ----------------------------------------------------------------------------------


async def test_what_had_no_reply_goes_out_again_in_its_order() -> None:
    def half(commands: Commands) -> list[Any]:
        raise Lost("cut", [b"done", b"done"])

    broken, fresh = ToyLine(half), ToyLine()
    pipeline = await Server([broken, fresh]).pipeline()
    answers = [submit(pipeline, b"%d" % number) for number in range(4)]
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.005)
    answers.append(submit(pipeline, b"4"))
    await asyncio.sleep(0.1)
    assert [answer.reply for answer in answers] == [b"done", b"done", b"2", b"3", b"4"]
    assert fresh.batches == [[(b"2",), (b"3",), (b"4",)]]
    await pipeline.close()


async def test_after_a_refusal_that_another_server_may_not_give_another_is_looked_for() -> None:
    refusing = ToyLine(lambda commands: [Refusal("READONLY", "You can't write against a read only replica.")])
    pipeline = await Server([refusing, ToyLine()]).pipeline()
    first = submit(pipeline, b"first")
    await asyncio.sleep(0.1)
    second = submit(pipeline, b"second")
    await asyncio.sleep(0.1)
    assert isinstance(first.reply, Refusal)
    assert (second.reply, refusing.is_closed) == (b"second", True)
    await pipeline.close()


async def test_a_connection_that_is_dropped_under_way() -> None:
    """Such as when the sentinels name another primary: the command is done there as well."""
    old, new = ToyLine(delay=0.2), ToyLine()
    pipeline = await Server([old, new]).pipeline()
    answer = submit(pipeline, b"command")
    await asyncio.sleep(0.1)
    await pipeline.drop("another primary")
    await asyncio.sleep(0.2)
    assert (old.is_closed, answer.reply) == (True, b"command")
    later = submit(pipeline, b"later")
    await asyncio.sleep(0.1)
    assert (later.reply, new.batches) == (b"later", [[(b"later",)]])
    await pipeline.close()


async def test_the_end_waits_for_what_is_under_way_but_not_for_ever() -> None:
    pipeline = await Server([ToyLine(delay=0.2)]).pipeline()
    answers = [submit(pipeline, b"command") for _ in range(2000)]
    await pipeline.close()
    assert {answer.reply for answer in answers} == {b"command"}
    assert submit(pipeline, b"later").reply is FAILED
    stuck = await Server([ToyLine(delay=1000)]).pipeline()
    answers = [submit(stuck, b"command") for _ in range(2000)]
    began = now()
    await stuck.close()
    await stuck.close()
    assert {answer.reply for answer in answers} == {FAILED}
    assert now() - began <= PATIENCE + REPLICA_PATIENCE


# -- fences and replicas -----------------------------------------------------------------------------------


async def test_a_script_is_told_until_when_it_may_act() -> None:
    line = ToyLine()
    line.clock.told(1_000_000, now())
    pipeline = await Server([line]).pipeline()
    submit(pipeline, b"script", fenced=True)
    submit(pipeline, b"list")
    await asyncio.sleep(0.1)
    assert line.batches == [[(b"script", 1_000_000 + int(PATIENCE * 1000)), (b"list",)]]
    await pipeline.close()


async def test_a_server_whose_clock_went_ahead_refuses_once() -> None:
    """It does nothing that might be too late, and tells its time."""
    line = ToyLine()
    line.clock.told(1_000_000, now())
    line.reply = lambda commands: [
        1 if int(command[1]) >= 9_000_000 else [-1, 9_000_000] for command in commands
    ]
    pipeline = await Server([line]).pipeline()
    first = submit(pipeline, b"script", fenced=True)
    await asyncio.sleep(0.1)
    second = submit(pipeline, b"script", fenced=True)
    await asyncio.sleep(0.1)
    assert (first.reply, second.reply) == (FAILED, 1)
    await pipeline.close()


@pytest.mark.parametrize(
    ("confirmed", "expected"),
    [(0, FAILED), (1, FAILED), (2, b"write"), (3, b"write"), (Refusal("ERR", "no"), FAILED)],
)
async def test_a_write_counts_when_enough_replicas_have_it(confirmed: object, expected: object) -> None:
    line = ToyLine(lambda commands: [command[0] for command in commands[:-1]] + [confirmed])
    pipeline = await Server([line], replicas=2).pipeline()
    write, read = submit(pipeline, b"write", kept=True), submit(pipeline, b"read")
    await asyncio.sleep(0.1)
    assert line.batches[0][-1] == (b"WAIT", 2, int(REPLICA_PATIENCE * 1000))
    assert (write.reply, read.reply) == (expected, b"read")
    await pipeline.close()


async def test_what_only_reads_waits_for_no_replica() -> None:
    line = ToyLine()
    pipeline = await Server([line], replicas=1).pipeline()
    submit(pipeline, b"read")
    await asyncio.sleep(0.1)
    assert line.batches == [[(b"read",)]]
    await pipeline.close()


async def test_what_replicas_had_no_time_to_confirm_goes_out_again_as_a_whole() -> None:
    def cut(commands: Commands) -> list[Any]:
        raise Lost("cut", [b"done"] * (len(commands) - 1))

    fresh = ToyLine(lambda commands: [*echo(commands[:-1]), 1])
    pipeline = await Server([ToyLine(cut), fresh], replicas=1).pipeline()
    answers = [submit(pipeline, b"%d" % number, kept=True) for number in range(2)]
    await asyncio.sleep(0.1)
    assert [answer.reply for answer in answers] == [b"0", b"1"]
    await pipeline.close()
