"""The concurrency tuner on a cluster: a process of its own, beside the operator."""
