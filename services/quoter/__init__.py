"""Owns: the strategy, from book, volatility, inventory and params to a wanted ladder.
Hears: `InstrumentListed`, `Book`, `Ticker`, `FeedStatus`; `OrderChanged`, `Position`, `Account`; `Lease`;
`ParamsChanged`.
Says: `Quote` with the reason of every tick in it, or `NoQuote` with its own; `Health`, `Anomaly`,
`ParamsApplied`.
"""
