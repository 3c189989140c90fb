"""Stylised facts of a market, measured from any stream of trades and books; pure, and blind to its source."""
