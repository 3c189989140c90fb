"""Owns: the control plane, who may command, the running parameters, and the view that operators see.
Hears: everything.
Says: `Pause`, `Resume`, `Kill`, `ParamsChanged`, `Health`.
"""
