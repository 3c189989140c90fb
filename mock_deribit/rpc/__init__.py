"""The mock's spoken language: Deribit's JSON-RPC methods, channels, sessions and errors."""
