"""Owns: the private connection, every order's life, the pre-trade gate, the ledger of fills.
Hears: the venue's private frames; `Quote`, `NoQuote`, `Hedge`; `Lease`, `Kill`, `Resume`; `InstrumentListed`,
`Ticker`, `FeedStatus`; `ParamsChanged`.
Says: `OrderChanged`, `Filled`, `Position`, `Account`; `Swept`; `Health`, `Anomaly`, `ParamsApplied`.
"""
