"""A real control plane without a container engine: etcd, Kubernetes, KWOK, Prometheus and a simulated fleet."""
