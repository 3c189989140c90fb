"""Deribit's API v2 without sockets: session, vault, codec, channels, requests, errors, credits.

Everything here is pure. A core owns a `Session` per socket, turns its outputs into effects, decodes what
it is told with `codec`, asks with `requests`; the host holds the `Vault` and the socket.
"""
