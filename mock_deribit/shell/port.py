"""Owns the bytes of one TCP connection: WebSocket or plain HTTP on the same port, as on Deribit.

Two sans-IO protocols behind one asyncio.Protocol: `h11` until a request names the WebSocket's path, be it the
first of its connection or not, and `websockets` from there on, which would refuse the POST that JSON-RPC over
HTTP needs. No task and no queue stand between the core and the socket: what the core says is written in the
same loop turn. Where no compression was negotiated a frame is a header and the text, and is written without
the protocol's help: a book that fifty sockets follow makes fifty thousand frames a second.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import parse_qsl

import h11
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from mock_deribit.rpc.dispatch import HttpAnswer, HttpRequest

_WHOLE_TEXT = 0x81
_HEAD_16 = struct.Struct("!BBH").pack
_HEAD_64 = struct.Struct("!BBQ").pack

SOCKET_PATH = b"/ws/api/v2"
DATA_FRAMES = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
BACKLOG_BYTES_MAX = 16 * 2**20
FRAME_BYTES_MAX = 2**20
BODY_BYTES_MAX = 2**20


class SocketOwner(Protocol):
    """Who hears a WebSocket."""

    def admission(self, peer: str) -> int:
        """The HTTP status of the handshake: 101 to accept."""
        ...

    def opened(self, port: "Port", peer: str) -> None:
        """The handshake is done."""
        ...

    def received(self, port: "Port", frame: bytes) -> None:
        """One text frame."""
        ...

    def closed(self, port: "Port") -> None:
        """The connection is gone; nothing can be sent any more."""
        ...


class Port(asyncio.Protocol):
    """One connection. `sockets` is None where only HTTP is spoken."""

    def __init__(
        self,
        serve: Callable[[HttpRequest], HttpAnswer | None],
        sockets: SocketOwner | None,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
    ) -> None:
        self._backlog_bytes_max = backlog_bytes_max
        self._serve = serve
        self._sockets = sockets
        self._http = h11.Connection(h11.SERVER)
        self._socket: ServerProtocol | None = None
        self._message = b""
        self._opened = False
        self._plain = False
        self._peer = ""
        self._body = b""
        self._request: h11.Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a client connected."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = str(transport.get_extra_info("peername")[0])

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        if self._opened and self._sockets is not None:
            self._opened = False
            self._sockets.closed(self)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes arrived."""
        if self._socket is not None:
            self._socket.receive_data(data)
            self._on_socket(self._socket)
        else:
            self._http.receive_data(data)
            self._on_http(self._http)

    def eof_received(self) -> bool:
        """asyncio: the client has finished writing."""
        if self._socket is not None:
            self._socket.receive_eof()
            self._on_socket(self._socket)
        return False

    # -- WebSocket -------------------------------------------------------------------------------

    def _on_socket(self, socket: ServerProtocol) -> None:
        for event in socket.events_received():
            if isinstance(event, Request):
                self._handshake(socket, event)
            elif isinstance(event, Frame) and event.opcode in DATA_FRAMES:
                self._gather(event)
        self._write(socket)

    def _gather(self, frame: Frame) -> None:
        """Put a message together that may come in several frames; a binary one is read like a text."""
        self._message += frame.data
        if frame.fin and self._sockets is not None:
            message, self._message = self._message, b""
            self._sockets.received(self, message)

    def _handshake(self, socket: ServerProtocol, request: Request) -> None:
        if self._sockets is None:
            return
        status = self._sockets.admission(self._peer)
        response = socket.accept(request) if status == 101 else socket.reject(status, "")
        socket.send_response(response)
        self._write(socket)
        if socket.state is OPEN:
            self._opened = True
            self._plain = not socket.extensions
            self._sockets.opened(self, self._peer)

    def send(self, frame: bytes) -> None:
        """Put one text frame on the WebSocket; a client that does not read is cut off."""
        if self._socket is None or self._socket.state is not OPEN:
            return
        if self._plain:
            self._transport.write(text_header(len(frame)) + frame)
        else:
            self._socket.send_text(frame)
            self._write(self._socket)
        if self._transport.get_write_buffer_size() > self._backlog_bytes_max:
            self._transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Close with a close frame."""
        if self._socket is not None and self._socket.state is OPEN:
            self._socket.send_close(code, reason)
            self._write(self._socket)

    def hang_up(self) -> None:
        """End the connection once what was said is sent, without waiting for the client."""
        self._transport.close()

    def stop_reading(self) -> None:
        """Hear nothing any more, not even the end of the connection."""
        self._transport.pause_reading()

    def abort(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    def _write(self, socket: ServerProtocol) -> None:
        for data in socket.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    # -- HTTP ------------------------------------------------------------------------------------

    def _on_http(self, http: h11.Connection) -> None:
        try:
            self._read_requests(http)
        except h11.RemoteProtocolError:
            self._transport.close()

    def _read_requests(self, http: h11.Connection) -> None:
        while True:
            event = http.next_event()
            if isinstance(event, h11.Request):
                if self._sockets is not None and event.target.startswith(SOCKET_PATH):
                    self._upgrade(http, event)
                    return
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
                if len(self._body) > BODY_BYTES_MAX:
                    self._transport.close()
                    return
            elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                answer = self._serve(_taken_apart(self._request, self._body, self._peer))
                if answer is None:
                    self._transport.abort()
                    return
                self._answer(http, self._request.method, answer)
                if http.our_state is h11.MUST_CLOSE:
                    self._transport.close()
                    return
                http.start_next_cycle()
            else:
                return

    def _upgrade(self, http: h11.Connection, request: h11.Request) -> None:
        """Go on as a WebSocket: the handshake is told again to the protocol that understands it."""
        deflate = [ServerPerMessageDeflateFactory()]
        socket = self._socket = ServerProtocol(extensions=deflate, max_size=FRAME_BYTES_MAX)
        lines = [b"%s %s HTTP/1.1" % (request.method, request.target)]
        lines += [b"%s: %s" % header for header in request.headers]
        socket.receive_data(b"\r\n".join(lines) + b"\r\n\r\n" + http.trailing_data[0])
        self._on_socket(socket)

    def _answer(self, http: h11.Connection, verb: bytes, answer: HttpAnswer) -> None:
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(answer.body))),
        ]
        body = b"" if verb == b"HEAD" else answer.body
        for event in (
            h11.Response(status_code=answer.status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self._transport.write(http.send(event) or b"")


def text_header(size: int) -> bytes:
    """The head of an unmasked text frame that is whole (RFC 6455, section 5.2)."""
    if size < 126:
        return bytes((_WHOLE_TEXT, size))
    if size < 2**16:
        return _HEAD_16(_WHOLE_TEXT, 126, size)
    return _HEAD_64(_WHOLE_TEXT, 127, size)


def _taken_apart(request: h11.Request, body: bytes, peer: str) -> HttpRequest:
    target = request.target.decode("ascii", "replace")
    path, _, query = target.partition("?")
    headers = {bytes(name).lower(): bytes(value) for name, value in request.headers}
    return HttpRequest(
        verb=request.method.decode("ascii"),
        target=target,
        path=path,
        query=dict(parse_qsl(query)),
        authorization=headers.get(b"authorization", b"").decode("latin-1"),
        body=body,
        peer=peer,
    )
