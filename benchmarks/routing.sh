#!/usr/bin/env bash
# What routing takes: a router on a one-thread worker of its own, a chat model on another, on loopback with mTLS. Requests for
# "auto" beside the same for the chat model, in turn, and the router's answers alone; idle, and beside STREAMS streams.
#   benchmarks/routing.sh [ROUTER.gguf [CHAT.gguf]]      models/router.gguf, models/chat.gguf; 5 rounds of 200 requests
# Needs build/release/benchmarks/route_load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
router=${1:-models/router.gguf} chat=${2:-models/chat.gguf}
load=${ROUTE_LOAD:-$PWD/build/release/benchmarks/route_load}
rounds=${ROUNDS:-5} streams=${STREAMS:-2}
[[ -x $load ]] || { echo "build it first: cmake --build build/release --target route_load" >&2; exit 1; }
source benchmarks/loopback_cluster.sh
begin
start_coordinator
start_workers 2
mapfile -t nodes < <(on nodes --json | grep -oE '"node_id": *"[^"]+"' | cut -d '"' -f 4)
quietly models import "$router" --name router
quietly models import "$chat" --name chat
quietly load router --node "${nodes[0]}"
quietly load chat --node "${nodes[1]}"
printf 'default: chat\nrouter: {model: router}\ntasks:\n  chat: {model: chat, intents: [chat]}\n' >"$work/specialists.yaml"
on specialists --set "$work/specialists.yaml" >/dev/null
for among in 0 "$streams"; do
  : >"$work/rounds"
  for _ in $(seq "$rounds"); do
    "$load" --data-dir "$work/c" --model chat --streams "$among" --json >>"$work/rounds"
  done
  value() { sed -nE "s/.*\"$1\":\{\"p50\":([0-9.]+),\"p99\":([0-9.]+)\}.*/\\$2/p" "$work/rounds" | median; }
  printf '%s streams beside: classified p50 %s ms, p99 %s ms; first token routed p50 %s ms, direct p50 %s ms\n' "$among" \
    "$(value classified_ms 1)" "$(value classified_ms 2)" "$(value routed_ms 1)" "$(value direct_ms 1)"
done
