#!/usr/bin/env bash
# What cutting a model costs one stream and gives to many: one one-thread worker with the whole model beside two one-thread
# workers with half of it each, on loopback with mTLS, in turn.
#   benchmarks/pipeline.sh MODEL.gguf       medians of REPEATS (5) rounds, TOKENS (64) each
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?usage: $0 MODEL.gguf}
enigma=${ENIGMA:-$PWD/build/release/enigma} load=${STREAM_LOAD:-$PWD/build/release/benchmarks/stream_load}
repeats=${REPEATS:-5} tokens=${TOKENS:-64}
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
tps() { # streams
  "$load" --data-dir "$work/c" --model m --streams "$1" --requests 1 --prompt 16 --tokens "$tokens" --json |
    sed -E 's/.*"tokens_per_second":([0-9.]+).*/\1/'
}
itl() { # decode alone: the median time between tokens of one stream, as tokens/s
  "$load" --data-dir "$work/c" --model m --streams 1 --requests 1 --prompt 16 --tokens "$tokens" --json |
    sed -E 's/.*"itl_ms":\{"p50":([0-9.]+).*/\1/' | awk '{print 1000/$1}'
}
"$enigma" coordinator --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" 2>"$work/c.log" >&2 &
for _ in $(seq 200); do "$enigma" nodes --data-dir "$work/c" >/dev/null 2>&1 && break; sleep 0.05; done
token=$("$enigma" token create --data-dir "$work/c" --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')
for i in 0 1; do
  taskset -c "$i" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 127.0.0.1:0 --metrics-port 0 --threads 1 \
    --udp-port "$port" 2>"$work/w$i.log" >&2 &
done
for _ in $(seq 200); do [[ $(grep -c attends "$work/c.log") == 2 ]] && break; sleep 0.1; done
"$enigma" models import "$model" --name m --data-dir "$work/c" >/dev/null 2>&1
one1=() one8=() two1=() two8=()
for _ in $(seq "$repeats"); do
  for stages in 1 2; do
    "$enigma" load m --stages "$stages" --data-dir "$work/c" >/dev/null 2>&1
    tps 1 >/dev/null
    if ((stages == 1)); then one1+=("$(itl)") one8+=("$(tps 8)"); else two1+=("$(itl)") two8+=("$(tps 8)"); fi
    "$enigma" unload m --data-dir "$work/c" >/dev/null 2>&1
  done
done
row() { printf '%-34s %10.2f %10.2f %7.2f\n' "$1" "$2" "$3" "$(awk -v a="$3" -v b="$2" 'BEGIN {print a/b}')"; }
printf '%-34s %10s %10s %7s\n' "tokens/s, $(basename "$model")" "1 worker" "2 workers" ratio
row "one stream, decode" "$(printf '%s\n' "${one1[@]}" | median)" "$(printf '%s\n' "${two1[@]}" | median)"
row "eight streams at once" "$(printf '%s\n' "${one8[@]}" | median)" "$(printf '%s\n' "${two8[@]}" | median)"
