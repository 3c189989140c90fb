"""Owns: limits, mode, kill latch, the lease, exposure, profit and loss, hedges.
Hears: instruments, books, tickers, feeds, orders, fills, positions, account, health, anomalies, control.
Says: `Lease`, `ModeChanged`, `Pnl`, `Hedge`.
"""
