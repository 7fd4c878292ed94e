#!/usr/bin/env bash
# What routing takes: a router on a one-thread worker of its own, a chat model on another, on loopback with mTLS. Requests for
# "auto" beside the same for the chat model, in turn, and the router's answers alone; idle, and beside STREAMS streams.
#   benchmarks/routing.sh [ROUTER.gguf [CHAT.gguf]]      models/router.gguf, models/chat.gguf; 5 rounds of 200 requests
# Needs build/release/benchmarks/route_load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
router=${1:-models/router.gguf} chat=${2:-models/chat.gguf}
enigma=${ENIGMA:-$PWD/build/release/enigma} load=${ROUTE_LOAD:-$PWD/build/release/benchmarks/route_load}
rounds=${ROUNDS:-5} streams=${STREAMS:-2}
[[ -x $load ]] || { echo "build it first: cmake --build build/release --target route_load" >&2; exit 1; }
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
on() { "$enigma" "$@" --data-dir "$work/c"; }
"$enigma" coordinator --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" 2>"$work/c.log" >&2 &
for _ in $(seq 200); do on nodes >/dev/null 2>&1 && break; sleep 0.05; done
token=$(on token create --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')
for i in 0 1; do
  taskset -c "$i" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 127.0.0.1:0 --metrics-port 0 --threads 1 \
    --udp-port "$port" 2>"$work/w$i.log" >&2 &
done
for _ in $(seq 300); do [[ $(on nodes 2>/dev/null | grep -c ' ready ') == 2 ]] && break; sleep 0.1; done
mapfile -t nodes < <(on nodes --json | grep -oE '"node_id": *"[^"]+"' | cut -d '"' -f 4)
quietly() { on "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
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
