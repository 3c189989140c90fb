"""What a simulated process suffers: it hangs, its clock jumps, its lines are silent, its state is lost."""

from backtest.latency import Constant, Latencies
from backtest.weather import Rain
from backtest.world import World
from shared.kernel import Effects, Event, LinkUp, Nanos, Publish, Started, Store, Wake, WakeAt
from shared.messages import FeedState, FeedStatus, Lease, Mode
from shared.units import MILLISECOND, SECOND
from tests.support.toys import Listener, refusal

START = Nanos(1_700_000_000 * SECOND)
FIXED = Latencies(bus=Constant(MILLISECOND), state=Constant(5 * MILLISECOND))
EVERY = Nanos(10 * MILLISECOND)


def at(ms: float) -> Nanos:
    """So many milliseconds after the start."""
    return Nanos(START + round(ms * MILLISECOND))


def speaker(now: Nanos, event: Event) -> Effects:
    """Refuses to quote a hundred times a second, with the time as its number."""
    if not isinstance(event, Started | Wake):
        return ()
    number = round((now - START) / MILLISECOND)
    return (Publish(refusal(now, number)), WakeAt("t", Nanos(now + EVERY)))


def world_of(*listeners: Listener) -> World:
    """A World with each of them as a process."""
    world = World(start=START, seed="1", latencies=FIXED)
    for listener in listeners:
        world.host(listener)
    return world


def numbers(listener: Listener) -> list[int]:
    """What was heard, by number."""
    return [message.quote_id for message in listener.messages() if hasattr(message, "quote_id")]


def test_a_process_that_hangs_notices_nothing_and_then_everything_in_order() -> None:
    listener = Listener("oms")
    world = world_of(listener, Listener("quoter", speaker))
    process = world.process("oms")
    assert process is not None
    world.run_until(at(25))
    heard = numbers(listener)
    process.hang()
    assert process.is_hanging
    world.run_until(at(95))
    assert numbers(listener) == heard
    process.go_on()
    world.run_until(at(105))
    assert numbers(listener) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_a_process_that_hangs_and_is_killed_notices_nothing_any_more() -> None:
    listener = Listener("oms")
    world = world_of(listener, Listener("quoter", speaker))
    process = world.process("oms")
    assert process is not None
    process.hang()
    world.run_until(at(50))
    seen = len(listener.events)
    world.kill("oms")
    process.go_on()
    world.run_until(at(100))
    assert len(listener.events) == seen


def test_a_clock_that_is_set_forward_wakes_what_is_due_and_is_drawn_back_by_one_percent() -> None:
    def alarm(now: Nanos, event: Event) -> Effects:
        return (WakeAt("t", at(1_000)),) if isinstance(event, Started) else ()

    listener = Listener("oms", alarm)
    world = world_of(listener)
    process = world.process("oms")
    assert process is not None
    world.run_until(at(100))
    process.step_clock(2 * SECOND)
    assert listener.events[-1] == Wake(timer="t")
    assert listener.times[-1] == at(2_100)
    world.run_until(at(100 + 10_000))
    assert process.clock() == at(100 + 10_000 + 1_900)


def test_state_is_written_behind_and_lost_with_the_process_that_wrote_it() -> None:
    def keeper(now: Nanos, event: Event) -> Effects:
        if isinstance(event, Started):
            return (Store("mode", "first"), WakeAt("t", at(20)))
        return (Store("mode", "second"),) if isinstance(event, Wake) else ()

    world = world_of(Listener("oms", keeper))
    world.run_until(at(22))
    assert world.state == {"mode": "first"}
    world.kill("oms")
    world.run_until(at(50))
    assert world.state == {"mode": "first"}


def test_a_state_store_that_comes_back_empty_is_written_again() -> None:
    def keeper(now: Nanos, event: Event) -> Effects:
        return (Store("mode", "kept"),) if isinstance(event, Started) else ()

    world = world_of(Listener("oms", keeper))
    world.run_until(at(10))
    world.cut("oms", "state", Nanos(20 * MILLISECOND))
    world.state.clear()
    world.run_until(at(40))
    assert world.state == {"mode": "kept"}


def test_what_is_sent_into_a_silence_arrives_when_it_is_over_and_nobody_is_told() -> None:
    listener = Listener("oms")
    world = world_of(listener, Listener("quoter", speaker))
    world.run_until(at(25))
    process = world.process("oms")
    assert process is not None
    process.weather.silence("bus", at(65))
    world.run_until(at(64))
    # One was on its way already.
    assert numbers(listener) == [0, 10, 20]
    world.run_until(at(65))
    assert numbers(listener) == [0, 10, 20, 30, 40, 50, 60]


def test_a_slow_link_delays_and_keeps_the_order() -> None:
    listener = Listener("oms")
    world = world_of(listener, Listener("quoter", speaker))
    process = world.process("oms")
    assert process is not None
    process.weather.slow("bus", at(35), 100 * MILLISECOND)
    world.run_until(at(130))
    assert numbers(listener) == [0, 10, 20]
    world.run_until(at(131))
    # What was sent after the end of it did not overtake.
    assert numbers(listener)[:5] == [0, 10, 20, 30, 40]


def test_rain_loses_doubles_and_scatters_data_and_leaves_events_alone() -> None:
    def statuses(now: Nanos, event: Event) -> Effects:
        if not isinstance(event, Started | Wake):
            return ()
        status = FeedStatus(
            ts=now,
            instrument="BTC-PERPETUAL",
            state=FeedState.LIVE,
            reason="",
            heard=now,
        )
        return (Publish(status), WakeAt("t", Nanos(now + EVERY)))

    risk, oms = Listener("risk"), Listener("oms")
    world = world_of(risk, oms, Listener("marketdata", statuses), Listener("quoter", speaker))
    for name in ("risk", "oms"):
        process = world.process(name)
        assert process is not None
        process.weather.rain(Rain(until=at(10_000), lost=0.3, doubled=0.3, strayed=0.3))
    world.run_until(at(9_000))
    seen = [message.ts for message in risk.messages() if isinstance(message, FeedStatus)]
    assert 0.5 * 900 < len(dict.fromkeys(seen)) < 0.9 * 900
    assert len(seen) > len(dict.fromkeys(seen))
    assert seen != sorted(seen)
    assert numbers(oms) == [10 * n for n in range(900)]


def test_a_new_process_is_told_the_last_words_that_the_event_stream_holds() -> None:
    def granting(now: Nanos, event: Event) -> Effects:
        return (Publish(lease(now)),) if isinstance(event, Started) else ()

    world = world_of(Listener("risk", granting))
    world.run_until(at(10))
    world.kill("risk")
    successor = Listener("risk")
    world.host(successor)
    assert successor.messages() == [lease(START)]
    assert successor.events[-1] == LinkUp(link="bus")
    world.kill("risk")
    world.forget_events()
    forgetful = Listener("risk")
    world.host(forgetful)
    assert forgetful.messages() == []


def lease(now: Nanos) -> Lease:
    """A lease that is not granted."""
    return Lease(
        ts=now,
        number=1,
        mode=Mode.KILLED,
        granted=False,
        reason="test",
        until=now,
        hard_limit=0.3,
    )
