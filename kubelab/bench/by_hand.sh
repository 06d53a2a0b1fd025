#!/bin/sh
# What one would type instead of `invoke lab clusterip`: the same objects, and as many requests from the same places.
# It does not judge who answered, changes nothing in between and draws no table. `invoke bench` sets the capitals.
set -eu

# Forwarding rules follow a new Service in a moment, so an answer may take a few tries.
answers() {
  tries=0
  until "$@" >/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ]
    sleep 0.2
  done
}

kubectl create namespace "$NAMESPACE"
kubectl --namespace "$NAMESPACE" wait --for=create serviceaccount/default --timeout=60s
kubectl --namespace "$NAMESPACE" run probe --image "$PROBE_IMAGE" --command -- sleep infinity
kubectl --namespace "$NAMESPACE" apply --filename "$MANIFESTS"
kubectl --namespace "$NAMESPACE" wait --for=condition=Ready pod/probe --timeout=60s
kubectl --namespace "$NAMESPACE" rollout status deployment/helloworld --timeout=60s
address=$(kubectl --namespace "$NAMESPACE" get service helloworld-clusterip --output jsonpath='{.spec.clusterIP}')

for _ in $(seq "$FROM_POD"); do
  answers kubectl --namespace "$NAMESPACE" exec probe -- curl --silent --max-time 2 http://helloworld-clusterip:8080
done
kubectl --namespace "$NAMESPACE" exec probe -- sh -c \
  "for _ in \$(seq $IN_A_ROW); do curl --silent --max-time 2 http://helloworld-clusterip:8080; done"
for node in $NODES; do
  answers docker exec "$node" curl --silent --max-time 2 "http://$address:8080"
done
for _ in $(seq "$FROM_OUTSIDE"); do
  if docker exec "$OUTSIDE" curl --silent --max-time 2 "http://$address:8080"; then
    echo "somebody answered outside" >&2
    exit 1
  fi
done
