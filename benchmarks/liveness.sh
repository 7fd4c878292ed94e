#!/usr/bin/env bash
# How soon a cluster knows: a worker's start until it is listed, kill -9 until it is dead, and (as root) the silence of
# its host until it is dead. Times are taken from the coordinator's log, whose lines carry milliseconds.
#   benchmarks/liveness.sh            medians of REPEATS (5) runs each
set -euo pipefail
cd "$(dirname "$0")/.."
source benchmarks/loopback_cluster.sh
repeats=${REPEATS:-5}
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
bridge=enlive$$ ns=enlive$$
cleanup() {
  kill $(jobs -p) 2>/dev/null || true
  ip netns del "$ns" 2>/dev/null || true
  ip link del "$bridge" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
now_ms() { date +%s%3N; }
# Milliseconds since the epoch of the first line after line $1 of the log that has $2; waits for it.
line_ms() {
  local line
  for _ in $(seq 1000); do
    line=$(tail -n +"$(($1 + 1))" "$work/coordinator.log" | grep -m1 -- "$2" || true)
    [[ -n $line ]] && { date -d "${line%% *}" +%s%3N; return; }
    sleep 0.02
  done
  echo "no line '$2' in the log of the coordinator:" >&2; tail -5 "$work/coordinator.log" >&2
  exit 1
}
lines() { wc -l <"$work/coordinator.log"; }
report() { printf '%-34s %6s ms (median of %s: %s)\n' "$1" "$(printf '%s\n' "${@:2}" | median)" "$(($# - 1))" "${*:2}"; }

host=127.0.0.1 on_host=()
if [[ $(id -u) == 0 ]] && ip link add "$bridge" type bridge 2>/dev/null; then
  ip netns add "$ns"
  ip link add "${bridge}v" type veth peer name eth0 netns "$ns"
  ip link set "${bridge}v" master "$bridge" up
  ip addr add 10.79.1.1/24 brd 10.79.1.255 dev "$bridge"
  ip link set "$bridge" up
  ip -n "$ns" addr add 10.79.1.2/24 brd 10.79.1.255 dev eth0
  ip -n "$ns" link set eth0 up
  ip -n "$ns" link set lo up
  host=10.79.1.1 on_host=(ip netns exec "$ns")
fi
"$enigma" coordinator --no-default-models --data-dir "$work/c" --listen "$host:0" --http 127.0.0.1:0 --udp-port "$port" \
  >/dev/null 2>"$work/coordinator.log" &
for _ in $(seq 200); do "$enigma" nodes --data-dir "$work/c" >/dev/null 2>&1 && break; sleep 0.05; done
token=$("$enigma" token create --data-dir "$work/c" --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')

started=() killed=() silent=()
for i in $(seq "$repeats"); do
  before=$(lines) t0=$(now_ms)
  "${on_host[@]}" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 0.0.0.0:0 --metrics-port 0 --threads 1 \
    --udp-port "$port" 2>"$work/w$i.log" &
  pid=$!
  started+=("$(($(line_ms "$before" attends) - t0))")
  sleep 0.5
  before=$(lines)
  if ((${#on_host[@]} > 0 && i % 2 == 0)); then
    t0=$(now_ms)
    ip link set "${bridge}v" nomaster
    silent+=("$(($(line_ms "$before" 'is dead') - t0))")
    ip link set "${bridge}v" master "$bridge"
    kill -9 "$pid"
  else
    t0=$(now_ms)
    kill -9 "$pid"
    killed+=("$(($(line_ms "$before" 'is dead') - t0))")
  fi
  wait "$pid" 2>/dev/null || true
  sleep 0.3
done
report "worker started -> listed" "${started[@]}"
report "kill -9 -> dead" "${killed[@]}"
((${#silent[@]} == 0)) || report "host cut off -> dead" "${silent[@]}"
