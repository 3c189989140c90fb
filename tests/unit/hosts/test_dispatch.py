"""The loop that all hosts share: order, time, timers, and cores that break."""

import pytest

from shared.dispatch import Dispatcher, outlives_outage
from shared.kernel import (
    Cut,
    Effects,
    Event,
    Halt,
    LinkDown,
    LinkUp,
    Message,
    Nanos,
    Publish,
    Restored,
    Send,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import Kill, Resume
from tests.support.toys import Listener, Script, anomaly, refusal, status

UP = LinkUp(link="bus")


class Outside:
    """Keeps what leaves the process, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.said: list[Message] = []
        self.alarms: list[Nanos] = []

    def dress(self, core: str, message: Message) -> Message:
        return message

    def say(self, message: Message) -> None:
        self.said.append(message)
        self.done.append(("say",))

    def send(self, core: str, link: str, data: bytes) -> None:
        self.done.append(("send", core, link, data.decode()))

    def cut(self, core: str, link: str, reason: str) -> None:
        self.done.append(("cut", core, link, reason))

    def store(self, core: str, key: str, value: str) -> None:
        self.done.append(("store", core, key, value))

    def wake_at(self, at: Nanos) -> None:
        self.alarms.append(at)

    def halt(self, core: str, reason: str) -> None:
        self.done.append(("halt", core, reason))


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = Nanos(1_000)

    def __call__(self) -> Nanos:
        return self.now


def dispatcher(*cores: Listener) -> tuple[Dispatcher, Outside, Hand]:
    outside, clock = Outside(), Hand()
    return Dispatcher(cores, clock, outside), outside, clock


def when(event: Event, *effects: object) -> Script:
    """A script that answers one event."""

    def script(now: Nanos, told: Event) -> Effects:
        return effects if told == event else ()  # type: ignore[return-value] # test data

    return script


def test_now_grows_strictly_even_when_the_clock_stands_or_runs_back() -> None:
    core = Listener("oms")
    driver, _, clock = dispatcher(core)
    driver.deliver("oms", UP)
    driver.deliver("oms", UP)
    clock.now = Nanos(10)
    driver.deliver("oms", UP)
    clock.now = Nanos(5_000)
    driver.deliver("oms", UP)
    assert core.times == [1_000, 1_001, 1_002, 5_000]


def test_effects_happen_in_order_and_the_bus_is_told_when_the_queue_is_empty() -> None:
    said = refusal(Nanos(1), 1)
    quoter = Listener("quoter", when(UP, Publish(said), Store("k", "v")))
    oms = Listener("oms", when(said, Send("private", b"order"), Cut("private", "done")))
    driver, outside, _ = dispatcher(quoter, oms)
    driver.deliver("quoter", UP)
    assert outside.done == [
        ("store", "quoter", "k", "v"),
        ("send", "oms", "private", "order"),
        ("cut", "oms", "private", "done"),
        ("say",),
    ]


def test_an_event_is_handled_to_its_end_before_the_next_begins() -> None:
    order: list[str] = []
    first, second = refusal(Nanos(1), 1), refusal(Nanos(2), 2)

    def speak(now: Nanos, event: Event) -> Effects:
        order.append("quoter begins")
        return (Publish(first), Publish(second)) if event == UP else ()

    def hear(now: Nanos, event: Event) -> Effects:
        order.append(f"oms {getattr(event, 'quote_id')}")  # noqa: B009 - any event
        return ()

    driver, _, _ = dispatcher(Listener("quoter", speak), Listener("oms", hear))
    driver.deliver("quoter", UP)
    assert order == ["quoter begins", "oms 1", "oms 2"]


def test_a_core_hears_what_its_service_hears_and_never_itself() -> None:
    said = anomaly(Nanos(1), "x", source="risk")
    risk, quoter = Listener("risk", when(UP, Publish(said))), Listener("quoter")
    gateway = Listener("gateway")
    driver, outside, _ = dispatcher(risk, quoter, gateway)
    driver.deliver("risk", UP)
    assert risk.messages() == []
    assert quoter.messages() == []
    assert gateway.messages() == [said]
    assert outside.said == [said]
    driver.hear(said)
    assert risk.messages() == [said]


def test_a_core_is_restored_then_started_before_it_hears_another() -> None:
    said = refusal(Nanos(1), 7)
    quoter = Listener("quoter", when(Started(incarnation=3), Publish(said)))
    oms = Listener("oms", remembers=("a", "b"))
    driver, _, _ = dispatcher(quoter, oms)
    driver.start({"a": "1"}, {"quoter": 3, "oms": 4})
    assert oms.events == [
        Restored(key="a", value="1"),
        Restored(key="b", value=None),
        Started(incarnation=4),
        said,
    ]


def test_timers_fire_when_due_earliest_first_and_asking_again_moves_one() -> None:
    late, early, moved = (WakeAt(name, Nanos(at)) for name, at in (("l", 30), ("e", 20), ("m", 10)))
    core = Listener("oms", when(UP, late, early, moved, WakeAt("m", Nanos(40))))
    driver, outside, clock = dispatcher(core)
    clock.now = Nanos(5)
    driver.deliver("oms", UP)
    assert outside.alarms == [30, 20, 10]
    clock.now = Nanos(35)
    driver.wake()
    assert core.events[1:] == [Wake(timer="e"), Wake(timer="l")]
    assert driver.next_wake == 40
    assert outside.alarms[-1] == 40
    clock.now = Nanos(40)
    driver.wake()
    driver.wake()
    assert core.events[3:] == [Wake(timer="m")]
    assert driver.next_wake is None


def test_a_halted_core_is_told_nothing_more_and_its_timers_are_gone() -> None:
    core = Listener(
        "oms", when(UP, WakeAt("t", Nanos(2_000)), Send("private", b"x"), Halt("broken"))
    )
    other = Listener("quoter")
    driver, outside, clock = dispatcher(core, other)
    driver.deliver("oms", UP)
    assert outside.done == [("send", "oms", "private", "x"), ("halt", "oms", "broken")]
    clock.now = Nanos(3_000)
    driver.wake()
    driver.deliver_all(LinkDown(link="bus", reason="r"))
    assert core.events == [UP]
    assert other.events == [LinkDown(link="bus", reason="r")]


def test_a_core_that_raises_is_dropped_and_the_error_says_where() -> None:
    def break_down(now: Nanos, event: Event) -> Effects:
        raise ZeroDivisionError("boom")

    journal: list[tuple[str, Event]] = []
    other = Listener("quoter")
    driver = Dispatcher(
        [Listener("oms", break_down), other],
        Hand(),
        Outside(),
        lambda core, now, event, effects: journal.append((core, event)),
    )
    with pytest.raises(ZeroDivisionError) as caught:
        driver.deliver_all(UP)
    assert caught.value.__notes__ == ["oms broke at 1000 on LinkUp"]
    assert journal == [("oms", UP)]
    driver.deliver("oms", UP)
    assert other.events == [UP]
    assert [core.name for core in driver.cores] == ["quoter"]


def test_two_cores_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="different names, got: oms, oms"):
        dispatcher(Listener("oms"), Listener("oms"))


def test_events_and_what_makes_safer_outlive_an_outage_and_the_rest_does_not() -> None:
    now = Nanos(1)
    assert outlives_outage(refusal(now, 1))
    assert outlives_outage(Kill(ts=now, command_id="c", by="me", reason="r"))
    assert not outlives_outage(Resume(ts=now, command_id="c", by="me"))
    assert not outlives_outage(status(now, "old"))
