"""One core's socket to a venue, over a real WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from shared.kernel import (
    Cut,
    Effects,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Nanos,
    Send,
    Wake,
    WakeAt,
)
from shared.shell.host_local import LocalHost
from shared.shell.service import loop_factory
from shared.shell.venue import SocketEvent, VenueSocket
from shared.units import MILLISECOND
from tests.support.hosting import Run, running, settings_for
from tests.support.toys import Listener, Script
from tests.support.waiting import turn_of_the_loop, until

UP = LinkUp(link="private")


class Venue:
    """Keeps what it hears; says back what it hears, hangs up on `bye`."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.connections: list[ServerConnection] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self.port}/ws/api/v2"

    async def serve(self, connection: ServerConnection) -> None:
        """One client."""
        self.connections.append(connection)
        try:
            async for frame in connection:
                self.heard.append(str(frame))
                if frame == "bye":
                    await connection.close(1001, "maintenance")
                else:
                    await connection.send(frame)
        except ConnectionClosed:
            return


@asynccontextmanager
async def venue(port: int = 0) -> AsyncIterator[Venue]:
    """A venue on a free port."""
    served = Venue()
    server: Server
    async with serve(served.serve, "127.0.0.1", port) as server:
        served.port = next(iter(server.sockets)).getsockname()[1]
        yield served


def core_with(script: Script) -> Listener:
    return Listener("oms", script, links=("private",))


def host_of(core: Listener, served: Venue, folder: Path) -> LocalHost:
    return LocalHost([core], settings_for(folder, venue_ws_url=served.url))


def links(core: Listener) -> list[str]:
    told = [event for event in core.events if isinstance(event, LinkUp | LinkDown)]
    return [type(event).__name__ for event in told if event.link == "private"]


async def test_frames_go_out_in_order_and_come_in_as_bytes(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return [Send("private", b"%d" % n) for n in range(200)] if event == UP else ()

    core = core_with(script)
    async with venue() as served, running(host_of(core, served, tmp_path)):
        await until(lambda: len(core.events) > 200, "all frames are back")
    frames = [event.data for event in core.events if isinstance(event, FrameIn)]
    assert frames == [b"%d" % n for n in range(200)]


async def test_a_large_frame_comes_in_whole(tmp_path: Path) -> None:
    core = core_with(lambda now, event: ())
    async with venue() as served, running(host_of(core, served, tmp_path)):
        await until(lambda: links(core) == ["LinkUp"], "up")
        await served.connections[0].send(json.dumps(["x" * 100] * 30_000))
        await until(lambda: any(isinstance(event, FrameIn) for event in core.events), "the frame")
    (frame,) = [event for event in core.events if isinstance(event, FrameIn)]
    assert len(json.loads(frame.data)) == 30_000


async def test_a_venue_that_hangs_up_is_dialled_again(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return (Send("private", b"bye"),) if event == UP and now < again else ()

    again = Nanos(2**63)
    core = core_with(script)
    async with venue() as served, running(host_of(core, served, tmp_path)):
        await until(lambda: links(core)[:2] == ["LinkUp", "LinkDown"], "down")
        again = Nanos(0)
        await until(lambda: links(core)[-1] == "LinkUp", "up again")
    (down,) = [event for event in core.events[:20] if isinstance(event, LinkDown)][:1]
    assert "maintenance" in down.reason


async def test_a_venue_that_is_not_there_yet_is_dialled_until_it_is(tmp_path: Path) -> None:
    async with venue() as gone:
        port = gone.port
    core = core_with(lambda now, event: ())
    settings = settings_for(tmp_path, venue_ws_url=f"ws://127.0.0.1:{port}/ws/api/v2")
    async with running(LocalHost([core], settings)):
        await until(lambda: LinkUp(link="bus") in core.events, "the core runs")
        assert links(core) == []
        async with venue(port):
            await until(lambda: links(core) == ["LinkUp"], "up")


async def test_a_cut_closes_after_what_was_sent_and_opens_another(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        if event == UP and not cuts:
            cuts.append("now")
            return (Send("private", b"last words"), Cut("private", "distrust"))
        return ()

    cuts: list[str] = []
    core = core_with(script)
    async with venue() as served, running(host_of(core, served, tmp_path)):
        await until(lambda: links(core) == ["LinkUp", "LinkDown", "LinkUp"], "another socket")
        assert served.heard == ["last words"]
        assert len(served.connections) == 2
    assert LinkDown(link="private", reason="distrust") in core.events


async def test_nothing_that_came_before_the_cut_is_told_after_it(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return (Cut("private", "distrust"),) if isinstance(event, FrameIn) else ()

    core = core_with(script)
    async with venue() as served, running(host_of(core, served, tmp_path)):
        await until(lambda: served.connections, "connected")
        for _ in range(100):
            served.connections[0].protocol.send_text(b"one of many in one segment")
        served.connections[0].send_data()
        await until(lambda: "LinkDown" in links(core), "down")
    assert [type(event) for event in core.events].count(FrameIn) == 1


async def test_at_the_end_a_core_may_still_send_and_hear_before_it_cuts(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        if event == Wake(timer="stop"):
            return (Send("private", b"cancel all"),)
        if event == FrameIn(link="private", data=b"cancel all"):
            return (Cut("private", "done"),)
        return ()

    core = core_with(script)
    async with venue() as served, running(host_of(core, served, tmp_path)) as (run,):
        await until(lambda: links(core) == ["LinkUp"], "up")
        assert await run.end() == 0
        assert served.heard == ["cancel all"]
        assert len(served.connections) == 1
    assert core.events[-1] == LinkDown(link="private", reason="done")


async def test_at_the_end_a_cut_link_is_not_opened_again_while_another_is_busy(
    tmp_path: Path,
) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        busy = (Send("public", b"busy"), WakeAt("busy", Nanos(now + 50 * MILLISECOND)))
        if event == Wake(timer="stop"):
            return (Cut("private", "done"), *busy)
        if event == Wake(timer="busy"):
            rounds.append("busy")
            return busy if len(rounds) < 12 else (Cut("public", "done"),)
        return ()

    rounds: list[str] = []
    core = Listener("oms", script, links=("private", "public"))
    async with venue() as served, running(host_of(core, served, tmp_path)) as (run,):
        await until(lambda: len(served.connections) == 2 and links(core) == ["LinkUp"], "up")
        await run.end()
        assert len(rounds) == 12
        assert len(served.connections) == 2


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, loop_factory()])
def test_a_frame_for_a_socket_that_died_in_this_turn_of_the_loop_is_dropped_and_counted(
    loops: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(check_that_a_dead_socket_drops())


async def check_that_a_dead_socket_drops() -> None:
    """Between the end of the transport and `LinkDown`, frames are dropped like after it."""
    told: list[SocketEvent] = []
    async with venue() as served:
        socket = VenueSocket("private", served.url, None, told.append)
        keeping = asyncio.create_task(socket.keep())
        await until(lambda: socket.is_up, "up")
        socket.send(b"alive")
        await until(lambda: served.heard == ["alive"], "heard")
        socket.retire()
        assert socket._connection is not None
        socket._connection.transport.abort()
        for number in range(1, 4):
            socket.send(b"dead")
            assert socket.frames_dropped == number
            await turn_of_the_loop()
        await keeping
    assert isinstance(told[-1], LinkDown)


async def ended_by(script: Script, folder: Path) -> tuple[Listener, Venue, int]:
    """Run a core until its host ends by itself."""
    core = core_with(script)
    async with venue() as served:
        run = Run(host_of(core, served, folder))
        code = await run.task
    return core, served, code


async def test_a_halt_sends_what_stands_before_it_and_ends_with_a_failure(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        return (Send("private", b"cancel all"), Halt("ledger broke")) if event == UP else ()

    core, served, code = await ended_by(script, tmp_path)
    assert code == 1
    assert served.heard == ["cancel all"]
    assert core.events[-1] == UP


async def test_a_core_that_raises_ends_the_process_with_a_failure(tmp_path: Path) -> None:
    def script(now: Nanos, event: Event) -> Effects:
        if event == UP:
            return (WakeAt("later", Nanos(0)),)
        if event == Wake(timer="later"):
            raise ZeroDivisionError("a bug")
        return ()

    core, _, code = await ended_by(script, tmp_path)
    assert code == 1
    assert core.events[-1] == Wake(timer="later")
