"""Commands: what happens, in which order, when an operator pauses, resumes, kills or changes parameters.

Owns the order of safety. A kill writes the latch first, since the latch survives everything, and is then
told to everybody; either alone is better than nothing, so that neither's failure stops the other. It is
confirmed only when the exchange's own list of open orders shows none of ours. New
parameters are stored first and told after, so that no service runs on a set that a restart forgets.
Every command then waits a moment for the services to say that they obeyed, and the answer repeats what
they said and not what was hoped.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.gateway.bodies import KillBody, ParamsBody, PauseBody, ResumeBody
from services.gateway.reports import Document, confirmations
from services.gateway.view import Gateway
from shared.kernel import Message, Nanos
from shared.messages import Kill, Mode, ParamsChanged, Pause, Resume
from shared.messages.codec import encode
from shared.params import BadParams, change_params
from shared.state import KILL_LATCH, PARAMS, latch_of, write_latch

ANSWER_S = 1.0


class StateUnavailable(Exception):
    """The shared state could not be written in time; the text says why."""


class Refused(Exception):
    """A command that is not carried out: HTTP status, title and what to do instead."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail


class Port(Protocol):
    """What the shell lends to the API."""

    def now(self) -> Nanos:
        """The time."""
        ...

    def publish(self, message: Message) -> None:
        """Tell everybody, the gateway's own view included."""
        ...

    async def write(self, key: str, value: str) -> None:
        """Write shared state now; raises `StateUnavailable` within half a second."""
        ...

    async def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true of the view; whether it became so in time."""
        ...

    def one_at_a_time(self) -> AbstractAsyncContextManager[object]:
        """Held by whoever changes parameters."""
        ...


class Commands:
    """Carries out what the API was asked."""

    def __init__(self, view: Gateway, port: Port) -> None:
        self._view = view
        self._port = port

    async def pause(self, body: PauseBody) -> Document:
        """Hold one instrument or everything. Kept for the bus when it is away."""
        self._must_know(body.instrument)
        command = Pause(ts=self._port.now(), command_id=self._id("pause"), **body.model_dump())
        self._port.publish(command)
        done = await self._port.until(lambda: self._is_paused(body.instrument), ANSWER_S)
        return self._answer(command.command_id, done)

    async def resume(self, body: ResumeBody) -> Document:
        """Lift a pause, or with `confirm` a kill; risk may refuse and says why."""
        self._must_know(body.instrument)
        self._must_reach_the_bus("resume")
        refusals = self._refusals()
        command = Resume(ts=self._port.now(), command_id=self._id("resume"), **body.model_dump())
        self._port.publish(command)
        done = await self._port.until(
            lambda: self._is_resumed(body.instrument) or len(self._refusals()) > len(refusals),
            ANSWER_S,
        )
        if len(self._refusals()) > len(refusals):
            raise Refused(409, "Resume refused", self._refusals()[-1])
        return self._answer(command.command_id, done)

    async def kill(self, body: KillBody) -> Document:
        """Latch, tell, and say what became of both."""
        command = Kill(ts=self._port.now(), command_id=self._id("kill"), **body.model_dump())
        failure = ""
        try:
            await self._port.write(KILL_LATCH, write_latch(latch_of(command)))
        except StateUnavailable as error:
            failure = str(error)
        self._port.publish(command)
        reached = self._view.up["bus"]
        if failure and not reached:
            raise Refused(
                503,
                "Kill neither stored nor told",
                f"the shared state ({failure}) and the bus are both away; the kill is told as soon as "
                "the bus is back, and orders are pulled meanwhile because no lease is renewed",
            )
        done = reached and await self._port.until(
            lambda: self._is_dead() and self._is_swept(command.command_id), ANSWER_S
        )
        answer = self._answer(command.command_id, done)
        return answer | {"latched": not failure, "told": reached, "latch_failure": failure}

    async def change_params(self, body: ParamsBody) -> Document:
        """Validate whole, store, tell, and wait for the services' answers."""
        async with self._port.one_at_a_time():
            now = self._view.params
            if body.expected_version not in (None, now.version):
                raise Refused(
                    409,
                    "Version conflict",
                    f"expected version {body.expected_version}, but {now.version} is in force "
                    f"(by {now.by}); read GET /params and try again",
                )
            try:
                wanted = change_params(now.params, body.changes)
            except BadParams as error:
                raise Refused(422, "Parameters refused", str(error)) from error
            self._must_reach_the_bus("parameters")
            message = ParamsChanged(
                ts=self._port.now(),
                version=now.version + 1,
                by=body.by,
                params=wanted.model_dump(),
            )
            try:
                await self._port.write(PARAMS, encode(message).decode())
            except StateUnavailable as error:
                raise Refused(
                    503, "Parameters not stored", f"nothing was changed: {error}"
                ) from error
            self._port.publish(message)
        version = message.version
        await self._port.until(lambda: not confirmations(self._view, version)["missing"], ANSWER_S)
        return {"version": version, "params": message.params} | confirmations(self._view, version)

    def _must_know(self, instrument: str | None) -> None:
        if instrument is not None and instrument not in self._view.instruments:
            followed = ", ".join(self._view.instruments) or "none yet"
            raise Refused(
                404, "Unknown instrument", f"{instrument} is not followed; followed: {followed}"
            )

    def _must_reach_the_bus(self, what: str) -> None:
        if not self._view.up["bus"]:
            raise Refused(
                503,
                "Bus is away",
                f"{what} not sent, nothing was changed; try again when it is back",
            )

    def _is_paused(self, instrument: str | None) -> bool:
        """Told so by risk, and nothing of ours rests there any more."""
        lease = self._view.lease
        if lease is None:
            return False
        told = lease.mode in (Mode.PAUSED, Mode.KILLED) or instrument in lease.paused
        orders = self._view.orders.values()
        return told and not any(instrument in (None, order.instrument) for order in orders)

    def _is_resumed(self, instrument: str | None) -> bool:
        lease = self._view.lease
        if lease is None or lease.mode in (Mode.PAUSED, Mode.KILLED):
            return False
        return instrument is None or instrument not in lease.paused

    def _is_dead(self) -> bool:
        lease = self._view.lease
        return lease is not None and lease.mode is Mode.KILLED and not self._view.orders

    def _is_swept(self, command_id: str) -> bool:
        """The exchange itself has listed no order of ours since that kill."""
        swept = self._view.swept
        return swept is not None and swept.command_id == command_id

    def _refusals(self) -> list[str]:
        return [each.detail for each in self._view.anomalies if each.kind == "resume_refused"]

    def _id(self, verb: str) -> str:
        return f"{verb}-{self._port.now()}"

    def _answer(self, command_id: str, confirmed: bool) -> Document:
        lease = self._view.lease
        return {
            "command_id": command_id,
            "confirmed": confirmed,
            "mode": lease.mode if lease else None,
            "reason": lease.reason if lease else "risk was not heard yet",
            "open_orders": len(self._view.orders),
        }
