"""The control API: what an operator asks over HTTP, answered without a socket.

    GET    /                  what there is
    GET    /health            {"status": "ok"}
    GET    /state             time, indices, books, accounts, at a glance
    GET    /connections       every WebSocket with its number, account, channels, orders
    GET    /ledger            account by account, what an auditor needs
    GET    /listings          every instrument
    GET    /catalogue         every fault and every word on time, with the JSON schema of each
    GET    /record            what was done, by whom, when, and what of it could not be
    GET    /faults            what is armed
    POST   /faults            carry out or arm one: {"fault": "drop_frames", "channel": "book."}
    DELETE /faults            lift everything that is armed
    DELETE /faults/{number}   lift one
    POST   /clock             {"clock": "pause"}, resume, run, step, jump

A request that cannot be served is answered 400, 404 or 405 with one line that says what was expected, what
came and what there is; nothing of it has happened.
"""

from collections.abc import Callable

import msgspec

from mock_deribit.clock import ClockWord, ExchangeClock, Jump, Pause, Resume, Run, Step
from mock_deribit.core import Deed, MockDeribit
from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest
from mock_deribit.rpc.outbox import Effect
from mock_deribit.words import CLOCK, FAULTS
from shared.units import from_seconds

_OK = {"status": "ok"}

Done = tuple[object, list[Effect]]
"""What a request is answered with, and what it makes leave on the sockets."""


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Control:
    """The operator's side of one exchange and its clock."""

    def __init__(self, core: MockDeribit, clock: ExchangeClock) -> None:
        self._core = core
        self._clock = clock
        self._routes: dict[str, dict[str, Callable[[HttpRequest], Done]]] = {
            "/": {"GET": self._index},
            "/health": {"GET": lambda _: (_OK, [])},
            "/state": {"GET": self._state},
            "/connections": {"GET": lambda _: (core.connections(clock()), [])},
            "/ledger": {"GET": lambda _: (core.ledger(clock()), [])},
            "/listings": {"GET": lambda _: (core.listings(), [])},
            "/catalogue": {"GET": self._catalogue},
            "/record": {"GET": lambda _: (core.record(), [])},
            "/faults": {"GET": self._armed, "POST": self._fault, "DELETE": self._lift_all},
            "/faults/{number}": {"DELETE": self._lift},
            "/clock": {"POST": self._time},
        }

    def answer(self, request: HttpRequest) -> tuple[HttpAnswer, list[Effect]]:
        """Serve one request."""
        try:
            body, effects = self._route(request)(request)
        except ValueError as error:
            return _json(400, {"error": str(error)}), []
        except _Refused as refused:
            return _json(refused.status, {"error": str(refused)}), []
        return _json(200, body), effects

    def _route(self, request: HttpRequest) -> Callable[[HttpRequest], Done]:
        path = request.path.rstrip("/") or "/"
        pattern = "/faults/{number}" if path.startswith("/faults/") else path
        verbs = self._routes.get(pattern)
        if verbs is None:
            raise _Refused(404, f"there is no {path} here; there are {', '.join(self._routes)}")
        serve = verbs.get(request.verb)
        if serve is None:
            raise _Refused(405, f"{path} takes {', '.join(verbs)}; came {request.verb}")
        return serve

    def _index(self, request: HttpRequest) -> Done:
        return {path: list(verbs) for path, verbs in self._routes.items()}, []

    def _state(self, request: HttpRequest) -> Done:
        now = self._clock()
        speed = {"speed": self._clock.speed, "paused": self._clock.paused}
        return self._core.state(now) | {"clock": speed}, []

    def _catalogue(self, request: HttpRequest) -> Done:
        return {"faults": FAULTS.kinds, "clock": CLOCK.kinds}, []

    # -- faults ----------------------------------------------------------------------------------

    def _armed(self, request: HttpRequest) -> Done:
        return self._core.armed(), []

    def _fault(self, request: HttpRequest) -> Done:
        fault = FAULTS.read_json(request.body)
        before = self._core.armed()
        effects = self._core.fault(self._clock(), fault)
        armed = [each.number for each in self._core.armed() if each not in before]
        return _OK | {"number": armed[0] if armed else None}, effects

    def _lift_all(self, request: HttpRequest) -> Done:
        return _OK | {"lifted": self._core.lift_all()}, []

    def _lift(self, request: HttpRequest) -> Done:
        word = request.path.rstrip("/").rpartition("/")[2]
        if not word.isdecimal() or not self._core.lift(int(word)):
            known = ", ".join(str(each.number) for each in self._core.armed()) or "none"
            raise _Refused(404, f"no fault {word!r} is armed; armed are: {known}")
        return _OK, []

    # -- time ------------------------------------------------------------------------------------

    def follow(self) -> list[Effect]:
        """Do what the timeline has said of time."""
        effects: list[Effect] = []
        for deed in self._core.clock_words():
            error = ""
            try:
                if isinstance(deed.word, ClockWord):
                    effects += self._set(deed.word)
            except ValueError as refusal:
                error = str(refusal)
            self._core.note(msgspec.structs.replace(deed, error=error))
        return effects

    def _time(self, request: HttpRequest) -> Done:
        word, clock = CLOCK.read_json(request.body), self._clock
        effects = self.set_clock(word)
        return _OK | {"now": clock(), "speed": clock.speed, "paused": clock.paused}, effects

    def set_clock(self, word: ClockWord) -> list[Effect]:
        """Do what an operator says of time. Raises ValueError for a time that has been."""
        effects = self._set(word)
        self._core.note(Deed(now=self._clock(), word=word))
        return effects

    def _set(self, word: ClockWord) -> list[Effect]:
        clock = self._clock
        match word:
            case Pause():
                clock.pause()
            case Resume():
                clock.resume()
            case Run(speed=speed):
                clock.run(speed)
            case Step(seconds=seconds):
                clock.pass_by(from_seconds(seconds))
                return self._core.step(clock())
            case Jump():
                clock.move_to(word.time)
                return self._core.jump(clock())
        return []


def _json(status: int, body: object) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body))
