#!/bin/sh
# A kind cluster with fake GPU nodes, simulated engines, Prometheus, a model and Foretide (docs/kind.md). Needs kind, kubectl,
# helm, and docker or podman. Writes its kubeconfig below .foretide/, and touches no other.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$root/.foretide/kind
image=localhost/foretide:kind

engine=${ENGINE:-}
for found in docker podman; do
  [ -n "$engine" ] || ! command -v "$found" >/dev/null || engine=$found
done
for program in kind kubectl helm ${engine:-docker}; do
  command -v "$program" >/dev/null || { echo "$program: not found; install it, or put it on the PATH" >&2; exit 2; }
done
[ "$engine" != podman ] || export KIND_EXPERIMENTAL_PROVIDER=podman

mkdir -p "$work"
export KUBECONFIG="$work/kubeconfig"
kind get clusters | grep -qx foretide || kind create cluster --config "$here/cluster.yaml"
kind export kubeconfig --name foretide
"$engine" build -f "$root/Containerfile" -t "$image" "$root"
"$engine" save "$image" -o "$work/image.tar"
kind load image-archive "$work/image.tar" --name foretide
rm "$work/image.tar"
"$here/install.sh"

echo
echo "export KUBECONFIG=$KUBECONFIG"
echo "kubectl -n models get infa        # a recommendation within two minutes; then docs/kind.md"
