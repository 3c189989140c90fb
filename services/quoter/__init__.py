"""Owns: the strategy, from book, volatility, inventory and params to a wanted ladder.
Hears: data of marketdata, positions, orders and the account of the oms, the lease, new params.
Says: `Quote` with the reason of every tick in it, or `NoQuote(reason)`; `Health`, `Anomaly`.
"""
