"""A conversation with a session as the venue would lead it."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from shared.deribit.outputs import Output, SessionConfig, Transmit
from shared.deribit.session import Session
from shared.kernel import Nanos
from shared.units import SECOND

T = TypeVar("T")
Recorded = Callable[[str], list[str]]

START = Nanos(1_790_000_000 * SECOND)

RESULTS: dict[str, Any] = {
    "public/set_heartbeat": "ok",
    "public/hello": {"version": "1.2.26"},
    "public/test": {"version": "1.2.26"},
    "public/auth": {
        "access_token": "{{access_token}}",
        "refresh_token": "{{refresh_token}}",
        "expires_in": 900,
        "scope": "connection trade:read_write account:read_write mainaccount",
        "token_type": "bearer",
    },
    "private/enable_cancel_on_disconnect": "ok",
    "private/get_cancel_on_disconnect": {"scope": "connection", "enabled": True},
}


class Dialogue:
    """Plays the venue to one session. `asked` holds the requests that nobody has answered yet."""

    def __init__(self, config: SessionConfig) -> None:
        self.session = Session(config)
        self.now = START
        self.asked: list[dict[str, Any]] = []
        self.methods: list[str] = []

    def heard(self, outputs: list[Output]) -> list[Output]:
        """Keep what was transmitted; give back the rest."""
        for output in outputs:
            if isinstance(output, Transmit):
                request = json.loads(output.data)
                self.asked.append(request)
                self.methods.append(request["method"])
        return [output for output in outputs if not isinstance(output, Transmit)]

    def later(self, duration: int) -> None:
        self.now = Nanos(self.now + duration)

    def open(self) -> list[Output]:
        return self.heard(self.session.opened(self.now))

    def wake(self) -> list[Output]:
        return self.heard(self.session.woke(self.now))

    def wait(self, duration: int) -> list[Output]:
        """Let time pass, waking the session whenever it asked for it."""
        end = self.now + duration
        outputs: list[Output] = []
        while (due := self.session.next_wake) is not None and due <= end:
            self.now = Nanos(max(due, self.now))
            outputs += self.wake()
        self.now = Nanos(end)
        return outputs

    def stay_alive(self, seconds: int) -> None:
        """Let time pass on a socket whose heartbeats arrive."""
        for _ in range(seconds):
            self.wait(SECOND)
            self.say({"method": "heartbeat", "params": {"type": "heartbeat"}})

    def say(self, frame: object) -> list[Output]:
        data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        return self.heard(self.session.received(self.now, data))

    def ask(self, method: str = "private/buy", context: object = "quote 7") -> int:
        """The owner asks for something; the id of its request."""
        request_id, outputs = self.session.request(self.now, method, {"amount": 10.0}, context)
        self.heard(outputs)
        return request_id

    def pop(self, method: str) -> dict[str, Any]:
        """The oldest unanswered request of this method."""
        for position, request in enumerate(self.asked):
            if request["method"] == method:
                return self.asked.pop(position)
        raise AssertionError(f"nobody asked {method}; open are {[r['method'] for r in self.asked]}")

    def answer(self, method: str, result: Any = None) -> list[Output]:
        request = self.pop(method)
        if result is None:
            result = (
                request["params"]["channels"]
                if "channels" in request["params"]
                else RESULTS[method]
            )
        return self.say({"jsonrpc": "2.0", "id": request["id"], "result": result, **self.clock()})

    def refuse(self, method: str, code: int, message: str = "no", data: Any = None) -> list[Output]:
        request = self.pop(method)
        error = {"code": code, "message": message} | ({"data": data} if data is not None else {})
        return self.say({"jsonrpc": "2.0", "id": request["id"], "error": error, **self.clock()})

    def clock(self) -> dict[str, int]:
        us = self.now // 1000
        return {"usIn": us, "usOut": us, "usDiff": 0}

    def answer_all(self) -> list[Output]:
        """Agree to everything until nothing is open."""
        outputs: list[Output] = []
        while self.asked:
            outputs += self.answer(self.asked[0]["method"])
        return outputs

    def made_ready(self) -> "Dialogue":
        self.open()
        self.answer_all()
        assert self.session.ready
        return self


def only(outputs: list[Output], kind: type[T]) -> list[T]:
    """The outputs of one kind."""
    return [output for output in outputs if isinstance(output, kind)]


def the(outputs: list[Output], kind: type[T]) -> T:
    """The one output there is, which is of this kind."""
    (output,) = outputs
    assert isinstance(output, kind)
    return output
