"""Owns: the public connection, one order book per followed instrument, continuity, staleness, the recorder.
Hears: the venue's public frames; `ParamsChanged`; `Position`, to follow what is held.
Says: `InstrumentListed`, `Book`, `Trades`, `Ticker`, `FeedStatus`; `Health`, `Anomaly`, `ParamsApplied`.
"""
