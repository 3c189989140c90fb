"""The ways to the venue: a socket for every link, but plain requests for the one named `http`."""

from collections.abc import Callable
from typing import Protocol

from shared.shell.settings import Settings
from shared.shell.venue import SocketEvent, VenueSocket


class VenueLink(Protocol):
    """One core's way to the venue: `VenueSocket`, or `VenueHttp` for the link `http`."""

    frames_in: int
    frames_dropped: int

    @property
    def is_up(self) -> bool:
        """Whether there is something to wait for when the process ends."""
        ...

    def quiet_for(self, now: float) -> float:
        """Seconds of loop time since the core last sent something."""
        ...

    async def keep(self) -> None:
        """Be there until retired or cancelled."""
        ...

    def send(self, data: bytes) -> None:
        """One frame, now or never."""
        ...

    def cut(self, reason: str) -> None:
        """End what is open."""
        ...

    def retire(self) -> None:
        """Open nothing any more."""
        ...


def venue_link(link: str, settings: Settings, tell: Callable[[SocketEvent], None]) -> VenueLink:
    """The way of that name; `tell` is called with its events."""
    if link == "http":
        # Only who has such a link pays for the client.
        from shared.shell.http import VenueHttp  # noqa: PLC0415

        return VenueHttp(settings.http_url, settings.credentials, tell)
    return VenueSocket(link, settings.ws_url, settings.credentials, tell)
