"""A Deribit that can be run: matching engine, accounts, JSON-RPC, and markets that trade on it."""
