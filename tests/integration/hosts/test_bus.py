"""The NATS host against a real nats-server: hearing, outages, history, malformed bytes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest

from console.servers import NatsServer, ValkeyServer
from shared.kernel import Effects, Event, LinkDown, LinkUp, Nanos, Publish, Started, Wake
from shared.messages import NoQuote
from shared.messages.codec import encode
from shared.shell.host_nats import NatsHost
from shared.shell.nats_fastpath import FastPublisher, QueuedPublisher, publisher, subscribe
from shared.shell.nats_stream import ensure_stream, read_stream
from shared.shell.service import loop_factory
from shared.units import MILLISECOND
from tests.support.hosting import running, settings_for
from tests.support.relay import Relay
from tests.support.toys import Echo, Listener, Pulse, refusal, status
from tests.support.waiting import turn_of_the_loop, until, until_asked

BUS_UP = LinkUp(link="bus")
GO = Wake(timer="go")


class Refuser(Listener):
    """A `quoter` that says one more numbered refusal each time it is told to go."""

    def __init__(self) -> None:
        super().__init__("quoter")
        self.said = 0

    def handle(self, now: Nanos, event: Event) -> Effects:
        """Count and say."""
        super().handle(now, event)
        if event != GO:
            return ()
        self.said += 1
        return (Publish(refusal(now, self.said)),)


def numbers(core: Listener) -> list[int]:
    """The numbers of the refusals a core heard."""
    return [event.quote_id for event in core.events if isinstance(event, NoQuote)]


def links(core: Listener) -> list[str]:
    """How the bus came and went."""
    told = [event for event in core.events if isinstance(event, LinkUp | LinkDown)]
    return [type(event).__name__ for event in told if event.link == "bus"]


@pytest.mark.parametrize("fast", [True, False])
async def test_cores_of_three_processes_hear_each_other(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path, fast: bool
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    pulse, echo, risk = Pulse(5 * MILLISECOND), Echo(), Listener("risk")
    hosts = [NatsHost([core], settings, fast=fast) for core in (risk, echo, pulse)]
    async with running(*hosts):
        await until(lambda: len(risk.details()) >= 50, "fifty echoes over two hops")
    heard = [int(detail.split()[0]) for detail in risk.details()]
    assert heard == list(range(heard[0], heard[0] + len(heard)))


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, loop_factory()])
@pytest.mark.parametrize("fast", [True, False])
def test_both_ways_of_publishing_keep_every_message_and_its_order_on_every_loop(
    nats_server: NatsServer, fast: bool, loops: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(check_that_all_arrive_in_order(nats_server, fast=fast))


async def check_that_all_arrive_in_order(server: NatsServer, *, fast: bool) -> None:
    """One connection says, another hears; every payload arrives once, in order."""
    listener, speaker = await nats.connect(server.url), await nats.connect(server.url)
    heard: list[bytes] = []

    await subscribe(listener, "a.b", lambda _, data: heard.append(data), fast=fast)
    await listener.flush()
    way = publisher(speaker, fast=fast)
    assert isinstance(way, FastPublisher if fast else QueuedPublisher)
    sent = [f"{n} \r\n PUB".encode() for n in range(2_000)]
    for number, payload in enumerate(sent):
        assert way.publish("a.b", payload)
        if number == 1_000:
            # Something of nats-py's own waits now: the rest must queue up behind it.
            await speaker.publish("other", b"x" * 10)
    await until(lambda: len(heard) == len(sent), "every payload")
    assert heard == sent
    way.close()
    await listener.close()
    await speaker.close()


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, loop_factory()])
def test_a_connection_that_died_in_this_turn_of_the_loop_takes_nothing_and_breaks_nobody(
    nats_server: NatsServer, loops: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(check_that_a_dead_transport_refuses(nats_server))


async def check_that_a_dead_transport_refuses(server: NatsServer) -> None:
    """Between the end of a transport and nats-py's word of it, a publisher answers False."""
    client = await nats.connect(server.url, allow_reconnect=False)
    way = publisher(client, fast=True)
    assert way.publish("a.b", b"alive")
    inner: Any = client._transport
    inner._io_writer.transport.abort()
    for _ in range(3):
        assert not way.publish("a.b", b"dead")
        await turn_of_the_loop()
    way.close()
    await client.close()


async def test_without_the_private_parts_the_public_way_is_taken(own_nats: NatsServer) -> None:
    client = await nats.connect(own_nats.url)
    transport = client._transport
    client._transport = None
    way = publisher(client, fast=True)
    client._transport = transport
    assert isinstance(way, QueuedPublisher)
    way.close()
    await client.close()


async def test_events_said_while_the_broker_is_gone_arrive_once_it_is_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    quoter, oms = Refuser(), Listener("oms")
    speaking, hearing = NatsHost([quoter], settings), NatsHost([oms], settings)
    async with running(speaking, hearing):
        await until(lambda: links(quoter) == links(oms) == ["LinkUp"], "both are connected")
        for _ in range(3):
            speaking.deliver("quoter", GO)
        await until(lambda: numbers(oms) == [1, 2, 3], "the first three")
        own_nats.stop()
        await until(lambda: links(quoter) == links(oms) == ["LinkUp", "LinkDown"], "both noticed")
        for _ in range(3):
            speaking.deliver("quoter", GO)
        own_nats.start()
        await until(lambda: numbers(oms) == [1, 2, 3, 4, 5, 6], "all six, in order")
        speaking.deliver("quoter", GO)
        await until(lambda: numbers(oms)[-1] == 7, "the seventh")
    assert numbers(oms) == [1, 2, 3, 4, 5, 6, 7]


async def test_events_that_a_dying_broker_took_and_never_passed_on_are_said_again_once(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    quoter, oms = Refuser(), Listener("oms")
    speaking, hearing = NatsHost([quoter], settings), NatsHost([oms], settings)
    async with running(speaking, hearing):
        await until(lambda: links(quoter) == links(oms) == ["LinkUp"], "both are connected")
        for _ in range(3):
            speaking.deliver("quoter", GO)
        await until(lambda: numbers(oms) == [1, 2, 3], "the first three")
        own_nats.freeze()
        for _ in range(3):
            speaking.deliver("quoter", GO)
        await until(lambda: links(quoter) == links(oms) == ["LinkUp", "LinkDown"], "both noticed")
        speaking.deliver("quoter", GO)
        own_nats.kill()
        own_nats.start()
        await until(lambda: 7 in numbers(oms), "the one said last")
    assert numbers(oms) == [1, 2, 3, 4, 5, 6, 7]


async def test_who_was_cut_off_reads_what_it_missed_before_it_is_told_that_the_bus_is_back(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with Relay(own_nats.port) as relay:
        direct = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
        relayed = direct.model_copy(update={"nats_url": f"nats://127.0.0.1:{relay.port}"})
        quoter, oms = Refuser(), Listener("oms")
        speaking, hearing = NatsHost([quoter], direct), NatsHost([oms], relayed)
        async with running(speaking, hearing):
            await until(lambda: links(quoter) == links(oms) == ["LinkUp"], "both are connected")
            speaking.deliver("quoter", GO)
            await until(lambda: numbers(oms) == [1], "the first")
            relay.cut()
            await until(lambda: links(oms) == ["LinkUp", "LinkDown"], "the cut is noticed")
            for _ in range(3):
                speaking.deliver("quoter", GO)
            relay.mend()
            await until(lambda: links(oms)[-1] == "LinkUp", "connected again")
            assert links(quoter) == ["LinkUp"]
            assert numbers(oms) == [1, 2, 3, 4]
            back = len(oms.events) - 1 - oms.events[::-1].index(BUS_UP)
            assert oms.events.index(oms.messages()[3]) < back


async def test_a_process_starts_without_a_broker_and_connects_when_there_is_one(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_nats.stop()
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    oms = Listener("oms")
    async with running(NatsHost([oms], settings)):
        await until(lambda: "bus lost or not there; trying again" in caplog.text, "a log line")
        assert [type(event) for event in oms.events[:1]] == [Started]
        assert links(oms) == []
        own_nats.start()
        await until(lambda: links(oms) == ["LinkUp"], "connected")


async def test_malformed_and_misplaced_bytes_are_counted_and_ignored(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    oms = Listener("oms")
    host = NatsHost([oms], settings)
    good = refusal(Nanos(1), 5)
    async with running(host):
        await until(lambda: links(oms) == ["LinkUp"], "connected")
        stranger = await nats.connect(own_nats.url)
        for bad in (b"", b"{", b'{"type":"NoQuote"}', b'{"type":"Nonsense"}', b"\xff\xfe"):
            await stranger.publish("mock.evt.quoter.quote.TOY", bad)
        await stranger.publish("mock.evt.quoter.quote.OTHER", encode(good))
        await stranger.publish("mock.evt.quoter.quote.TOY", encode(good))
        await until(oms.messages, "the good one")
        await stranger.close()
        assert oms.messages() == [good]
        assert host.figures("oms")["bus_malformed"] == 6
    assert "NoQuote belongs on mock.evt.quoter.quote.TOY" in str(
        [getattr(record, "fields", "") for record in caplog.records]
    )


async def test_a_latecomer_with_history_is_told_past_events_first_and_no_data(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    quoter = Refuser()
    speaking = NatsHost([quoter], settings)
    async with running(speaking):
        await until(lambda: links(quoter) == ["LinkUp"], "connected")
        for _ in range(700):
            speaking.deliver("quoter", GO)
        speaking.say(status(Nanos(1), "data is not kept"))
    late, plain = Listener("gateway"), Listener("oms")
    other = NatsHost([late], settings, history=["gateway"])
    async with running(other, NatsHost([plain], settings)):
        await until(lambda: links(late) == links(plain) == ["LinkUp"], "connected")
    assert numbers(late) == list(range(1, 701))
    assert late.events.index(BUS_UP) > late.events.index(late.messages()[-1])
    assert plain.messages() == []


async def test_a_broker_that_stalls_while_the_stream_is_read_never_gives_half_of_it(
    own_nats: NatsServer,
) -> None:
    count = 20_000
    client = await nats.connect(own_nats.url)
    await ensure_stream(client, "mock")
    for number in range(count):
        await client.publish("mock.evt.quoter.quote.TOY", b"%d" % number)
    stream = client.jetstream()

    async def is_kept() -> bool:
        return (await stream.stream_info("mock-events")).state.messages == count

    await until_asked(is_kept, "all in the stream")
    patterns = ["mock.evt.quoter.quote.*"]
    reading = asyncio.create_task(read_stream(client, "mock", patterns, 0.0, count))
    await until(lambda: client.stats["in_msgs"] > 2_000, "a part is read")
    own_nats.freeze()
    try:
        await asyncio.wait((reading,))
    finally:
        own_nats.thaw()
    assert isinstance(reading.exception(), nats.errors.TimeoutError)
    assert len(await read_stream(client, "mock", patterns, 0.0, count)) == count
    await client.close()


async def test_a_frozen_broker_is_lost_too(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    oms = Listener("oms")
    async with running(NatsHost([oms], settings)):
        await until(lambda: links(oms) == ["LinkUp"], "connected")
        own_nats.freeze()
        try:
            await until(lambda: links(oms) == ["LinkUp", "LinkDown"], "no answer is noticed")
        finally:
            own_nats.thaw()
        await until(lambda: links(oms)[-1] == "LinkUp", "connected again")


async def test_stopping_is_told_to_the_core_and_does_not_hang_without_a_broker(
    own_nats: NatsServer, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    own_nats.stop()
    settings = settings_for(tmp_path, nats_url=own_nats.url, redis_url=own_valkey.url)
    oms = Listener("oms")
    async with running(NatsHost([oms], settings)) as (run,):
        await until(lambda: oms.events, "started")
        async with asyncio.timeout(5):
            assert await run.end() == 0
    assert Wake(timer="stop") in oms.events
