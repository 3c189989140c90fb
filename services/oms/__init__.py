"""Owns: the private connection, every order's life, the pre-trade gate, the ledger of fills.

Hears: quotes, hedges, the lease, control, instruments, tickers, feed status; the venue's frames.
Says: orders, fills, positions, the account, health, anomalies; nothing rests that the lease forbids.
"""
