"""KEDA's external scaler: the decided count for KEDA to carry out, or an error. Never a guess."""
