"""What the operator does with a prefill and a decode pool. Read `turns.py` first."""
