"""Owns: limits, mode, kill latch, the lease, exposure, profit and loss, hedges.
Hears: `InstrumentListed`, `Book`, `Ticker`, `FeedStatus`; `OrderChanged`, `Filled`, `Position`, `Account`;
`Health`, `Anomaly`; `Pause`, `Resume`, `Kill`, `ParamsChanged`.
Says: `Lease`, `ModeChanged`, `Pnl`, `Hedge`; `Health`, `Anomaly`, `ParamsApplied`.
"""
