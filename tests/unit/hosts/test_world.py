"""Simulated time: latency, faults, determinism, replay."""

import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest

from backtest.latency import Constant, Latencies, Lognormal, Path
from backtest.world import Halted, World, replay
from shared.journal import Header, decode_records, encode_record
from shared.kernel import (
    Cut,
    Effects,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Nanos,
    Publish,
    Send,
    Started,
    Wake,
    WakeAt,
)
from shared.units import MILLISECOND, SECOND
from tests.support.toys import Echo, Listener, Pulse, anomaly, refusal

START = Nanos(1_700_000_000 * SECOND)
AT = Nanos(START + 10 * SECOND)
FIXED = Latencies(
    bus=Constant(MILLISECOND),
    feed=Constant(2 * MILLISECOND),
    order=Constant(3 * MILLISECOND),
    response=Constant(4 * MILLISECOND),
    reconnect=Constant(SECOND),
    state=Constant(0),
)


class Reply(msgspec.Struct, frozen=True):
    """A frame of the toy exchange."""

    conn: int
    data: bytes


class Close(msgspec.Struct, frozen=True):
    """The toy exchange ends a connection."""

    conn: int
    code: int
    reason: str


class Parrot:
    """An exchange that says back what it hears, greets by itself once, and hangs up on `bye`."""

    def __init__(self, greeting_at: Nanos | None = None) -> None:
        self.seen: list[tuple[Nanos, int, str]] = []
        self._greeting_at = greeting_at
        self._conns: list[int] = []

    def admission(self, peer: str) -> int:
        return 101

    def opened(self, now: Nanos, conn: int, peer: str) -> Sequence[Reply | Close]:
        self._conns.append(conn)
        self.seen.append((now, conn, "opened"))
        return ()

    def received(self, now: Nanos, conn: int, frame: bytes) -> Sequence[Reply | Close]:
        self.seen.append((now, conn, frame.decode()))
        return (Close(conn, 1000, "bye"),) if frame == b"bye" else (Reply(conn, frame),)

    def closed(self, now: Nanos, conn: int) -> Sequence[Reply | Close]:
        self.seen.append((now, conn, "closed"))
        return ()

    def ask(
        self, now: Nanos, peer: str, key: tuple[str, str] | None, frame: bytes
    ) -> tuple[bytes, Sequence[Reply | Close]]:
        self.seen.append((now, 0, frame.decode()))
        return frame, [Reply(conn, b"asked") for conn in self._conns]

    def wake(self, now: Nanos) -> Sequence[Reply | Close]:
        self._greeting_at = None
        return [Reply(conn, b"hello") for conn in self._conns]

    def next_wake(self) -> Nanos | None:
        return self._greeting_at


def sending(*frames: bytes) -> Listener:
    """A core that sends frames whenever its private link comes up."""

    def script(now: Nanos, event: Event) -> Effects:
        if event == LinkUp(link="private"):
            return [Send("private", frame) for frame in frames]
        return ()

    return Listener("oms", script, links=("private",))


def test_a_request_over_http_needs_no_connection_and_comes_back_alone() -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return [Send("http", b"a"), Send("http", b"b")] if isinstance(event, Started) else ()

    core, parrot = Listener("oms", script, links=("http",)), Parrot()
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", parrot)
    world.host(core, venue="parrot")
    world.run_until(Nanos(START + 100 * MILLISECOND))
    out, back = 3 * MILLISECOND, 4 * MILLISECOND
    assert parrot.seen == [(START + out, 0, "a"), (START + out, 0, "b")]
    frames = [(at, event) for at, event in zip(core.times, core.events, strict=True)][-2:]
    assert [event for _, event in frames] == [
        FrameIn(link="http", data=b"a"),
        FrameIn(link="http", data=b"b"),
    ]
    assert frames[0][0] == START + out + back


def test_a_message_takes_the_bus_latency_between_processes_and_none_within_one() -> None:
    def speak(now: Nanos, event: Event) -> Effects:
        return (Publish(refusal(now, 1)),) if event == Wake(timer="t") else (WakeAt("t", AT),)

    quoter, near, far = Listener("quoter", speak), Listener("oms"), Listener("gateway")
    world = World(start=START, seed="1", latencies=FIXED)
    world.host(far)
    world.host(quoter, near)
    world.run_until(Nanos(AT + SECOND))
    assert near.events[-1] == far.events[-1] == refusal(AT, 1)
    assert near.times[-1] == AT + 1
    assert far.times[-1] == AT + MILLISECOND


def test_a_frame_goes_out_and_its_answer_comes_back_one_way_each() -> None:
    core, parrot = sending(b"a", b"b"), Parrot()
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", parrot)
    world.host(core, venue="parrot")
    world.run_until(Nanos(START + 100 * MILLISECOND))
    out, back = 3 * MILLISECOND, 4 * MILLISECOND
    assert parrot.seen == [
        (START + out, 1, "opened"),
        (START + out + back + out, 1, "a"),
        (START + out + back + out, 1, "b"),
    ]
    frames = [
        (time, event.data)
        for time, event in zip(core.times, core.events, strict=True)
        if isinstance(event, FrameIn)
    ]
    arrival = START + out + back + out + back
    assert frames == [(arrival, b"a"), (arrival + 1, b"b")]


def test_a_socket_closed_by_either_side_goes_down_once_and_comes_up_again() -> None:
    core, parrot = sending(b"bye"), Parrot()
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", parrot)
    world.host(core, venue="parrot")
    world.run_until(Nanos(START + 1_500 * MILLISECOND))
    links = [event for event in core.events if isinstance(event, LinkUp | LinkDown)]
    private = [event for event in links if event.link == "private"]
    up, down = LinkUp(link="private"), LinkDown(link="private", reason="bye")
    assert private == [up, down, up, down]


def test_a_core_that_cuts_its_socket_gets_another_and_nothing_from_the_old_one() -> None:
    def script(now: Nanos, event: Event) -> Effects:
        if event == LinkUp(link="private") and now < START + SECOND:
            return (Send("private", b"lost"), Cut("private", "distrust"))
        return ()

    core, parrot = Listener("oms", script, links=("private",)), Parrot()
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", parrot)
    world.host(core, venue="parrot")
    world.run_until(Nanos(START + 2 * SECOND))
    assert [what for _, _, what in parrot.seen] == ["opened", "lost", "closed", "opened"]
    assert not any(isinstance(event, FrameIn) for event in core.events)
    assert LinkDown(link="private", reason="distrust") in core.events


def test_an_exchange_is_woken_when_it_asks() -> None:
    core = Listener("marketdata", links=("public",))
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", Parrot(greeting_at=Nanos(START + SECOND)))
    world.host(core, venue="parrot")
    world.run_until(Nanos(START + 2 * SECOND))
    assert core.events[-1] == FrameIn(link="public", data=b"hello")
    assert core.times[-1] == START + SECOND + 2 * MILLISECOND


def test_data_said_while_the_bus_is_away_is_lost_and_events_arrive_when_it_is_back() -> None:
    risk = Listener("risk")
    world = World(start=START, seed="1", latencies=FIXED)
    world.host(Pulse(10 * MILLISECOND))
    world.host(Echo())
    world.host(risk)
    world.call_at(Nanos(START + 105 * MILLISECOND), lambda: world.cut("risk", "bus", Nanos(SECOND)))
    world.run_until(Nanos(START + 1_104 * MILLISECOND))
    before = len(risk.details())
    assert before in (9, 10)
    world.run_until(Nanos(START + 1_106 * MILLISECOND))
    numbers = [int(detail.split()[0]) for detail in risk.details()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 100
    statuses = [event for event in risk.messages() if type(event).__name__ == "FeedStatus"]
    assert len(statuses) < 20


def test_state_written_while_the_store_is_away_is_there_when_it_is_back() -> None:
    world = World(start=START, seed="1", latencies=FIXED)
    world.host(Pulse(10 * MILLISECOND))
    world.host(Echo())
    world.cut("oms", "state", Nanos(100 * MILLISECOND))
    world.run_until(Nanos(START + 99 * MILLISECOND))
    assert world.state == {}
    world.run_until(Nanos(START + 101 * MILLISECOND))
    assert int(world.state["oms.echoes"]) >= 8


def test_a_killed_core_comes_back_with_what_it_stored_and_a_new_incarnation() -> None:
    world = World(start=START, seed="1", latencies=FIXED)
    world.host(Pulse(10 * MILLISECOND))
    world.host(Echo())
    world.run_until(Nanos(START + 55 * MILLISECOND))
    world.kill("oms")
    world.run_until(Nanos(START + 205 * MILLISECOND))
    successor = Echo()
    world.host(successor)
    assert successor.echoes == int(world.state["oms.echoes"]) == 5
    world.run_until(Nanos(START + 255 * MILLISECOND))
    assert successor.echoes == 10


def test_a_halt_ends_the_process_and_is_noted() -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return (Halt("broken"),) if event == LinkUp(link="bus") else ()

    parrot = Parrot()
    world = World(start=START, seed="1", latencies=FIXED)
    world.add_exchange("parrot", parrot)
    world.host(Listener("oms", script, links=("private",)), venue="parrot")
    world.run_until(Nanos(START + SECOND))
    assert world.halts == [Halted(now=START, core="oms", reason="broken")]
    assert parrot.seen == []
    with pytest.raises(KeyError, match="oms"):
        world.kill("oms")


def test_a_failed_check_names_seed_and_time() -> None:
    def check(world: World) -> None:
        assert world.now < START + 50 * MILLISECOND

    world = World(start=START, seed="the seed", latencies=FIXED)
    world.after_step(check)
    world.host(Pulse(10 * MILLISECOND))
    with pytest.raises(AssertionError) as caught:
        world.run_until(Nanos(START + SECOND))
    assert (
        f"in the World of seed 'the seed' at {START + 50 * MILLISECOND}"
        in caught.value.__notes__[0]
    )


def test_mistakes_in_building_a_world_say_what_to_do() -> None:
    world = World(start=START, seed="1")
    with pytest.raises(ValueError, match="pass host"):
        world.host(Listener("oms", links=("private",)))
    with pytest.raises(ValueError, match="no exchange 'x' here"):
        world.host(Listener("oms"), venue="x")
    world.host(Pulse(SECOND))
    with pytest.raises(ValueError, match="running already"):
        world.host(Pulse(SECOND))


def test_nothing_overtakes_on_a_path_and_spikes_delay() -> None:
    spiky = Lognormal(median=MILLISECOND, deviation=1.0, spike_chance=0.1, spike=SECOND)
    path = Path(spiky, "seed|path")
    arrivals = [path.arrival(Nanos(n * MILLISECOND)) for n in range(500)]
    assert arrivals == sorted(arrivals)
    assert max(a - n * MILLISECOND for n, a in enumerate(arrivals)) > 100 * MILLISECOND


def journal_of(seed: str) -> bytes:
    """Everything the cores of a small world heard and said, as bytes."""
    lines: list[bytes] = []
    world = World(
        start=START,
        seed=seed,
        journal=lambda core, now, event, effects: lines.append(
            core.encode() + b" " + encode_record(now, event, effects)
        ),
    )
    world.host(Pulse(7 * MILLISECOND))
    world.host(Echo())
    world.host(Listener("risk"), Listener("gateway"))
    world.call_at(Nanos(START + SECOND), lambda: world.cut("oms", "bus", Nanos(SECOND // 3)))
    world.run_until(Nanos(START + 3 * SECOND))
    return b"".join(lines)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert journal_of("7") == journal_of("7")
    assert journal_of("7") != journal_of("8")


def test_the_same_bytes_come_out_under_any_hash_seed() -> None:
    program = (
        "import hashlib, sys; sys.path.insert(0, '.');"
        "from tests.unit.hosts.test_world import journal_of;"
        "print(hashlib.sha256(journal_of('7')).hexdigest())"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        ).stdout
        for hash_seed in ("1", "4242")
    ]
    assert digests[0] == digests[1]


def test_a_replay_gives_the_same_effects_and_shows_where_it_does_not() -> None:
    lines: list[bytes] = []

    def note(core: str, now: Nanos, event: Event, effects: Effects) -> None:
        if core == "oms":
            lines.append(encode_record(now, event, effects))

    world = World(start=START, seed="1", journal=note)
    world.host(Pulse(10 * MILLISECOND))
    world.host(Echo())
    world.run_until(Nanos(START + SECOND))
    header = Header(core="oms", version="1", incarnation=1, part=0, config={})
    records = list(decode_records(lines))
    assert len(records) > 50
    assert replay(header, records, Echo()) == []
    missing_one = [record for number, record in enumerate(records) if number != 10]
    differences = replay(header, missing_one, Echo())
    assert [difference.record for difference in differences] == list(range(10, len(missing_one)))
    assert differences[0].journaled != differences[0].replayed


def test_a_replay_refuses_the_wrong_core_and_a_later_part() -> None:
    header = Header(core="oms", version="1", incarnation=1, part=1, config={})
    with pytest.raises(ValueError, match="the core is 'marketdata'"):
        replay(header, [], Pulse(1))
    with pytest.raises(ValueError, match="part 1"):
        replay(header, [], Echo())


def test_an_alarm_asked_for_again_and_again_rings_once() -> None:
    def script(now: Nanos, event: Event) -> Effects:
        if isinstance(event, Started):
            return [WakeAt("t", Nanos(START + n * MILLISECOND)) for n in range(50, 0, -1)]
        return (Publish(anomaly(now, "rang")),) if event != LinkUp(link="bus") else ()

    core = Listener("oms", script)
    world = World(start=START, seed="1", latencies=FIXED)
    world.host(core)
    world.run_until(Nanos(START + SECOND))
    assert [type(event).__name__ for event in core.events].count("Wake") == 1
