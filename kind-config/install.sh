#!/bin/sh
# All that up.sh puts on its cluster, on the cluster of KUBECONFIG. Needs kubectl and helm; may be run again.
set -eu
: "${KUBECONFIG:?name the kubeconfig of the cluster to install on}"
here=$(cd "$(dirname "$0")" && pwd)
patience=--timeout=5m

kubectl apply --server-side --force-conflicts -k "$here"
helm upgrade --install foretide "$here/../charts/foretide" --namespace foretide --values "$here/values.yaml"
crd=crd/inferenceautoscalers.autoscaling.foretide.io
# A wait that looks before there is a status ends with an error at once.
kubectl wait --for=condition=Established $patience $crd || { sleep 2 && kubectl wait --for=condition=Established $patience $crd; }
kubectl apply --server-side --force-conflicts -f "$here/example/autoscaler.yaml"
kubectl -n kwok rollout status $patience deployment/kwok
kubectl -n monitoring rollout status $patience deployment/prometheus
kubectl -n fleet-twin rollout status $patience deployment/fleet-twin
kubectl -n models rollout status $patience deployment/llama
kubectl -n foretide rollout status $patience deployment/foretide-operator
