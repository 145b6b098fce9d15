"""Prefill and decode pools decided together. Read `decide.py` first."""
