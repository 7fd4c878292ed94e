#!/usr/bin/env bash
# What cutting a model costs one stream and gives to many: one one-thread worker with the whole model beside two one-thread
# workers with half of it each, on loopback with mTLS, in turn.
#   benchmarks/pipeline.sh MODEL.gguf       medians of REPEATS (5) rounds, TOKENS (64) each
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?usage: $0 MODEL.gguf}
load=${STREAM_LOAD:-$PWD/build/release/benchmarks/stream_load}
repeats=${REPEATS:-5} tokens=${TOKENS:-64}
source benchmarks/loopback_cluster.sh
tps() { # streams
  "$load" --data-dir "$work/c" --model m --streams "$1" --requests 1 --prompt 16 --tokens "$tokens" --json |
    sed -E 's/.*"tokens_per_second":([0-9.]+).*/\1/'
}
itl() { # decode alone: the median time between tokens of one stream, as tokens/s
  "$load" --data-dir "$work/c" --model m --streams 1 --requests 1 --prompt 16 --tokens "$tokens" --json |
    sed -E 's/.*"itl_ms":\{"p50":([0-9.]+).*/\1/' | awk '{print 1000/$1}'
}
begin
start_coordinator
start_workers 2
quietly models import "$model" --name m
one1=() one8=() two1=() two8=()
for _ in $(seq "$repeats"); do
  for stages in 1 2; do
    quietly load m --stages "$stages"
    tps 1 >/dev/null
    if ((stages == 1)); then one1+=("$(itl)") one8+=("$(tps 8)"); else two1+=("$(itl)") two8+=("$(tps 8)"); fi
    quietly unload m
  done
done
row() { printf '%-34s %10.2f %10.2f %7.2f\n' "$1" "$2" "$3" "$(awk -v a="$3" -v b="$2" 'BEGIN {print a/b}')"; }
printf '%-34s %10s %10s %7s\n' "tokens/s, $(basename "$model")" "1 worker" "2 workers" ratio
row "one stream, decode" "$(printf '%s\n' "${one1[@]}" | median)" "$(printf '%s\n' "${two1[@]}" | median)"
row "eight streams at once" "$(printf '%s\n' "${one8[@]}" | median)" "$(printf '%s\n' "${two8[@]}" | median)"
