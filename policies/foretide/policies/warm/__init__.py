"""How warm a model is kept that is not always asked for: zero, sleeping, ready, and the shared nodes behind zero.

Gaps -> hazard -> Held (a tier for each minute of an idle period)       wakes -> held nodes
(idle.py)                 (hold.py)                                     (nodes.py)
"""
