#!/usr/bin/env bash
# How much of a link the first load of a model uses: a worker in a network namespace behind a link shaped to RATE (1000)
# Mbit/s fetches the whole model from the coordinator; then the same load again, which must move no byte. Needs root.
#   benchmarks/first_load.sh MODEL.gguf       medians of REPEATS (5) runs
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?usage: $0 MODEL.gguf}
source benchmarks/loopback_cluster.sh
repeats=${REPEATS:-5} rate=${RATE:-1000}
[[ $(id -u) == 0 ]] || { echo "$0: needs root for the network namespace" >&2; exit 2; }
work=$(mktemp -d) port=$((20000 + RANDOM % 10000)) ns=enload$$ link=enload$$v
worker=''
cleanup() {
  kill $(jobs -p) 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$ns" 2>/dev/null || true
  ip link del "$link" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

ip netns add "$ns"
ip link add "$link" type veth peer name eth0 netns "$ns"
ip addr add 10.79.2.1/24 brd 10.79.2.255 dev "$link"
ip link set "$link" up
ip -n "$ns" addr add 10.79.2.2/24 brd 10.79.2.255 dev eth0
ip -n "$ns" link set eth0 up
ip -n "$ns" link set lo up
tc qdisc add dev "$link" root tbf rate "${rate}mbit" burst 256kb latency 50ms

"$enigma" coordinator --no-default-models --data-dir "$work/c" --listen 10.79.2.1:0 --http 127.0.0.1:0 --udp-port "$port" 2>"$work/c.log" >&2 &
for _ in $(seq 200); do "$enigma" nodes --data-dir "$work/c" >/dev/null 2>&1 && break; sleep 0.05; done
"$enigma" models import "$model" --name m --data-dir "$work/c" >/dev/null 2>&1
token=$("$enigma" token create --data-dir "$work/c" --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')
# The worker's own account of a load: "... N bytes fetched in S s".
account() { grep -o '[0-9]* bytes fetched in [0-9.]* s' "$work/w.log" | tail -n 1; }
shares=() again=()
for i in $(seq "$repeats"); do
  ip netns exec "$ns" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 0.0.0.0:0 --metrics-port 0 \
    --udp-port "$port" 2>"$work/w.log" >&2 &
  worker=$!
  for _ in $(seq 400); do "$enigma" nodes --data-dir "$work/c" 2>/dev/null | grep -q ready && break; sleep 0.1; done
  "$enigma" load m --stages 1 --data-dir "$work/c" >/dev/null
  read -r bytes _ _ _ seconds _ <<<"$(account)"
  shares+=("$(awk -v b="$bytes" -v s="$seconds" -v r="$rate" 'BEGIN {print b * 8 / s / (r * 1e6) * 100}')")
  "$enigma" unload m --data-dir "$work/c" >/dev/null
  "$enigma" load m --stages 1 --data-dir "$work/c" >/dev/null
  read -r bytes _ <<<"$(account)"
  again+=("$bytes")
  "$enigma" unload m --data-dir "$work/c" >/dev/null
  kill "$worker"
  wait "$worker" 2>/dev/null || true
  rm -rf "$work/w$i"
done
printf 'first load: %s %% of %s Mbit/s (median of %s: %s)\n' "$(printf '%s\n' "${shares[@]}" | median)" "$rate" "$repeats" \
  "${shares[*]}"
printf 'second load: %s bytes moved (most of %s)\n' "$(printf '%s\n' "${again[@]}" | sort -n | tail -n 1)" "$repeats"
