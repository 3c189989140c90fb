"""The director: carries out a plan of faults on a stage, each at its time and each to its end."""

from functools import partial

from backtest import faults, weather
from backtest.faults import (
    AtVenue,
    BrokerDown,
    ClockStep,
    Crash,
    Cut,
    Due,
    Hang,
    Rain,
    Silence,
    Slow,
    StateDown,
    Word,
)
from backtest.stage import Stage
from backtest.witness import HEARTBEAT_BOUND, Witness
from mock_deribit import faults as venue
from shared.kernel import Nanos
from shared.messages import Kill, Pause, Resume
from shared.randomness import Stream
from shared.units import MILLISECOND, SECOND

_FOUND_AGAIN = Nanos(1_500 * MILLISECOND)
"""The parts find a server that came back one after another, within this time."""
_NOTICED = Nanos(SECOND)
_CREDITS_BACK = Nanos(10 * SECOND)


class Director:
    """Owns what is down at present, and brings it back."""

    def __init__(self, stage: Stage, witness: Witness, seed: str) -> None:
        self._stage = stage
        self._world = stage.world
        self._witness = witness
        self._seed = seed
        self._dead: dict[str, None] = {}
        self._state_back = Nanos(0)
        self._words = 0

    def schedule(self, dues: tuple[Due, ...]) -> None:
        """Put every fault of a plan on the World's heap."""
        start = self._world.now
        for due in dues:
            self._world.call_at(Nanos(start + due.at), partial(self._do, due))

    def _do(self, due: Due) -> None:
        fault, now = due.fault, self._world.now
        # A stream of its own: leaving out another fault of the plan does not change this one.
        stream = Stream(f"{self._seed}|fault|{due.at}")
        match fault:
            case Crash(parts=parts):
                self._crash(parts, self._end(fault.ms))
            case Hang(parts=parts):
                self._hang(parts, self._end(fault.ms))
            case Cut():
                self._cut(fault, self._end(fault.ms))
            case Silence() | Slow() | Rain():
                self._change_weather(fault, self._end(fault.ms))
            case BrokerDown(store_lost=lost):
                if lost:
                    self._world.forget_events()
                for part in faults.PARTS:
                    self._sever(part, "bus", self._back(fault.ms, stream), not lost)
            case StateDown(flushed=flushed):
                self._state_down(fault, stream, flushed)
            case ClockStep(ms=ms):
                for part in faults.PARTS:
                    self._world.call_at(
                        Nanos(now + stream.below(_NOTICED)), partial(self._step_clock, part, ms)
                    )
            case Word(word=word):
                self._say(word)
            case AtVenue():
                self._at_venue(fault, self._end(fault.ms))

    def _end(self, ms: int) -> Nanos:
        return Nanos(self._world.now + ms * MILLISECOND)

    def _back(self, ms: int, stream: Stream) -> Nanos:
        return Nanos(self._end(ms) + stream.below(_FOUND_AGAIN))

    def _crash(self, parts: tuple[str, ...], until: Nanos) -> None:
        for part in parts:
            if part not in self._dead:
                self._dead[part] = None
                if self._world.process(part) is not None:
                    self._world.kill(part)
                self._world.call_at(until, partial(self._raise, part))

    def _raise(self, part: str) -> None:
        """A process does not start before it has read the state."""
        if self._world.now < self._state_back:
            self._world.call_at(self._state_back, partial(self._raise, part))
            return
        del self._dead[part]
        self._stage.raise_service(part)

    def _hang(self, parts: tuple[str, ...], until: Nanos) -> None:
        for part in parts:
            process = self._world.process(part)
            if process is not None and not process.is_hanging:
                process.hang()
                self._world.schedule(until, process.go_on, None)
                if part == "oms":
                    self._witness.excuse(self._world.now, until)

    def _cut(self, cut: Cut, until: Nanos) -> None:
        if cut.link in faults.LINKS:
            self._sever(cut.part, cut.link, until, cut.caught_up)
            return
        process = self._world.process(cut.part)
        if process is not None:
            process.sever(cut.link, "cut by the simulation")

    def _sever(self, part: str, link: str, until: Nanos, caught_up: bool = True) -> None:
        process = self._world.process(part)
        if process is None or process.is_down(link):
            return
        process.sever(link, "cut by the simulation")
        self._world.schedule(until, partial(process.mend, caught_up=caught_up), link)

    def _change_weather(self, fault: Silence | Slow | Rain, until: Nanos) -> None:
        process = self._world.process(fault.part)
        if process is None:
            return
        match fault:
            case Silence(link=link):
                process.weather.silence(link, until)
            case Slow(link=link, extra_ms=extra):
                process.weather.slow(link, until, extra * MILLISECOND)
                until = Nanos(until + extra * MILLISECOND)
            case Rain():
                process.weather.rain(
                    weather.Rain(
                        until=until,
                        lost=fault.lost / 100,
                        doubled=fault.doubled / 100,
                        strayed=fault.strayed / 100,
                    )
                )
                return
        if link == "private":
            self._witness.excuse(self._world.now, until)

    def _state_down(self, fault: StateDown, stream: Stream, flushed: bool) -> None:
        back = self._end(fault.ms)
        self._state_back = max(self._state_back, back)
        for part in (*faults.PARTS, "gateway"):
            self._sever(part, "state", self._back(fault.ms, stream))
        if flushed:
            self._world.state.clear()

    def _step_clock(self, part: str, ms: int) -> None:
        process = self._world.process(part)
        if process is not None and not process.is_hanging:
            process.step_clock(ms * MILLISECOND)

    def _say(self, word: str) -> None:
        self._words += 1
        now, command = self._world.now, str(self._words)
        match word:
            case "pause":
                self._stage.operator(Pause(ts=now, command_id=command, by="simulation"))
            case "resume":
                self._stage.operator(
                    Resume(ts=now, command_id=command, by="simulation", confirm=True)
                )
            case _:
                self._stage.operator(
                    Kill(
                        ts=now,
                        command_id=command,
                        by="simulation",
                        reason="simulated",
                        flatten=word == "flatten",
                    )
                )

    def _at_venue(self, fault: AtVenue, until: Nanos) -> None:
        now = self._world.now
        try:
            self._stage.fault(fault.fault)
        except ValueError:
            return  # A future that has expired cannot expire again.
        match fault.fault:
            case venue.HalfOpen():
                # For good, unless somebody notices: the exchange by its heartbeat, we by silence.
                self._witness.excuse(now, Nanos(now + HEARTBEAT_BOUND))
            case venue.AnswerError():
                self._witness.excuse(now, until)
            case venue.DrainCredits():
                self._witness.spare_credits(Nanos(now + _CREDITS_BACK))
        if fault.undo is not None:
            self._world.call_at(until, partial(self._stage.fault, fault.undo))
        elif isinstance(fault.fault, venue.ArmedFault):
            self._world.call_at(until, self._lift)

    def _lift(self) -> None:
        self._stage.exchange.lift_all()
