"""docker-compose.yml, really built and run: under a name of its own, on a free port, gone afterwards."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("nats:2.12-alpine", "redis:7-alpine", "python:3.12-slim-bookworm")
OURS = ("CONFIG_FILE", "DERIBIT_", "EXCHANGE", "GATEWAY_", "LIVE_TRADING", "LOG_LEVEL")
PULL_S = 120.0
UP_S = 400.0
POLL_S = 0.25


def what_is_missing() -> str | None:
    """Why docker-compose.yml cannot be run on this machine, or None when it can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if not _succeeds("docker", "compose", "version"):
        return "docker has no compose plugin"
    if not _succeeds("docker", "info"):
        return "no Docker daemon answers"
    for image in IMAGES:
        if not _succeeds("docker", "image", "inspect", image) and not _pulled(image):
            return f"the image {image} is not here and no registry gives it"
    return None


def _succeeds(*command: str, timeout_s: float = 30.0) -> bool:
    done = subprocess.run(command, check=False, capture_output=True, timeout=timeout_s)
    return done.returncode == 0


def _pulled(image: str) -> bool:
    try:
        return _succeeds("docker", "pull", image, timeout_s=PULL_S)
    except subprocess.TimeoutExpired:
        return False


class Composed:
    """One running project of docker-compose.yml and a client of its control API."""

    def __init__(self) -> None:
        self.name = f"mm-test-{secrets.token_hex(4)}"
        self.port = _free_port()
        token = secrets.token_hex(16)
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(OURS)
        } | {"GATEWAY_PORT": str(self.port), "GATEWAY_TOKEN": token}
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10.0,
        )

    def up(self) -> None:
        """Build the image, start everything and wait until all of it says that it is well."""
        self.compose("up", "--detach", "--build", "--wait")

    def down(self) -> None:
        """Stop it and remove what it left behind: containers, volumes and the image."""
        self.api.close()
        self.compose("down", "--volumes", "--timeout", "20")
        subprocess.run(["docker", "image", "rm", self.name], check=False, capture_output=True)

    def compose(self, *arguments: str) -> str:
        """What `docker compose` prints; its failure is the test's, with the services' last words."""
        done = subprocess.run(
            # A developer's own .env is not to be obeyed here.
            ["docker", "compose", "--env-file", os.devnull, "-p", self.name, *arguments],
            cwd=ROOT,
            env=self._environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UP_S,
        )
        if done.returncode and arguments[0] != "logs":
            raise AssertionError(f"docker compose {arguments[0]}:\n{done.stdout}\n{self.logs()}")
        return done.stdout

    def logs(self) -> str:
        """The last words of every service."""
        return self.compose("logs", "--tail", "25", "--no-color")

    def get(self, path: str) -> Any:
        """What the control API answers."""
        answer = self.api.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: object) -> Any:
        """What the control API says it did."""
        answer = self.api.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def until(self, path: str, true: Callable[[Any], bool], what: str, deadline_s: float) -> Any:
        """The first answer of which it is true; fails with the last one when the deadline passes."""
        end = time.monotonic() + deadline_s
        while True:
            try:
                last = self.get(path)
                if true(last):
                    return last
            except httpx.HTTPError as error:
                last = error
            if time.monotonic() > end:
                raise AssertionError(f"not within {deadline_s} s: {what}: {last}\n{self.logs()}")
            time.sleep(POLL_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
