"""Owns Deribit's error vocabulary: which code and words a refusal carries.

Source: the error table of Deribit's API documentation and recorded error frames (the shapes of `data`).
"""

RPC_TOO_LARGE = -32600
RPC_METHOD_NOT_FOUND = -32601
RPC_INVALID_PARAMS = -32602

ORDER_NOT_FOUND = 10004
TOO_MANY_REQUESTS = 10028
MUST_BE_WEBSOCKET_REQUEST = 10030
MATCHING_ENGINE_QUEUE_FULL = 10047
BAD_REQUEST = 11050
SYSTEM_MAINTENANCE = 11051
INVALID_CREDENTIALS = 13004
UNAUTHORIZED = 13009
FORBIDDEN = 13021
SWITCHED_OFF = 13025
TOO_MANY_QUOTES = 13903
RAW_NEEDS_LOGIN = 13778


class RpcError(Exception):
    """The answer to one request is an error object; nothing else has happened."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.data = data

    def body(self) -> dict[str, object]:
        """The `error` member of the response."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def invalid_params(param: str, reason: str) -> RpcError:
    """The usual validation error; `reason` in the words production was recorded to use."""
    return RpcError(RPC_INVALID_PARAMS, "Invalid params", {"reason": reason, "param": param})


def unauthorized(reason: str) -> RpcError:
    """A missing, expired or foreign token."""
    return RpcError(UNAUTHORIZED, "unauthorized", {"reason": reason})


def forbidden(scope: str) -> RpcError:
    """The token is good but its scope is too small."""
    return RpcError(FORBIDDEN, "forbidden", {"reason": f"scope required: {scope}"})


def bad_request(reason: str | None = None) -> RpcError:
    """A frame that is not a request at all."""
    return RpcError(BAD_REQUEST, "bad_request", reason)


def method_not_found() -> RpcError:
    """No such method here."""
    return RpcError(RPC_METHOD_NOT_FOUND, "Method not found")


def switched_off(why: str) -> RpcError:
    """Deribit has the method, this mock does not."""
    return RpcError(SWITCHED_OFF, "method_switched_off_by_admin", {"reason": f"not here: {why}"})


def request_too_large() -> RpcError:
    """More than 32 kB in one frame or body."""
    return RpcError(RPC_TOO_LARGE, "request entity too large")


def too_many_requests() -> RpcError:
    """The credits of the request's class are used up."""
    return RpcError(TOO_MANY_REQUESTS, "too_many_requests")


def too_many_quotes() -> RpcError:
    """The credits of mass quotes are used up."""
    return RpcError(TOO_MANY_QUOTES, "too_many_quotes")


def queue_full() -> RpcError:
    """More than eight requests of one account wait for one currency's engine."""
    return RpcError(MATCHING_ENGINE_QUEUE_FULL, "matching_engine_queue_full")


def websocket_only() -> RpcError:
    """Subscriptions, heartbeats and cancel on disconnect make no sense over HTTP."""
    return RpcError(MUST_BE_WEBSOCKET_REQUEST, "must_be_websocket_request")


def invalid_credentials() -> RpcError:
    """Wrong id, secret, signature, or a nonce seen before."""
    return RpcError(INVALID_CREDENTIALS, "invalid_credentials")


def raw_needs_login() -> RpcError:
    """Public raw channels are for logged-in connections."""
    return RpcError(RAW_NEEDS_LOGIN, "raw_subscriptions_not_available_for_unauthorized")


def maintenance() -> RpcError:
    """The exchange is closed for a planned break."""
    return RpcError(SYSTEM_MAINTENANCE, "system_maintenance")


def order_not_found() -> RpcError:
    """No such order in this account, or closed and forgotten."""
    return RpcError(ORDER_NOT_FOUND, "order_not_found")
