#!/bin/sh
# Takes away what up.sh made, the image on this machine excepted.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
export KUBECONFIG="$root/.foretide/kind/kubeconfig"
if [ "${ENGINE:-}" = podman ] || ! command -v docker >/dev/null; then export KIND_EXPERIMENTAL_PROVIDER=podman; fi
kind delete cluster --name foretide
rm -rf "$root/.foretide/kind"
