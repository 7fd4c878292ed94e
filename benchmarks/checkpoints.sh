#!/usr/bin/env bash
# What checkpoints take of a training job's time: the same job with a checkpoint after every second step and with none but
# the last, in turn, by the coordinator's clock; the medians' difference is what the checkpoints cost, and a checkpoint's
# cost over a minute, the default interval, is their share. Steps must be longer than a write, or writes queue up.
#   benchmarks/checkpoints.sh [SIZE [BATCH [STEPS [ROUNDS]]]]      tiny, 16 sequences of 256 tokens, 20 steps, 5 rounds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:-tiny} batch=${2:-16} steps=${3:-20} rounds=${4:-5}
source benchmarks/loopback_cluster.sh
begin
"$enigma" up --workers 1 --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" \
  2>"$work/up.log" >&2 &
await_ready 1
seconds() { # job, how often
  train "m$1" --size "$size" --batch "$batch" --steps "$steps" --checkpoint-every "$2"
  on jobs watch "$1" --json | tr ',{}' '\n\n\n' | awk -F: '
    /"submitted_unix_ms"/ { begun = $2 } /"ended_unix_ms"/ { ended = $2 } END { print (ended - begun) / 1000 }'
}
without=() with=()
for ((round = 0; round < rounds; ++round)); do
  without+=("$(seconds $((2 * round + 1)) "$steps")")
  with+=("$(seconds $((2 * round + 2)) 2)")
done
a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median)
awk -v size="$size" -v a="$a" -v b="$b" -v n=$((steps / 2 - 1)) -v wo="${without[*]}" -v wi="${with[*]}" 'BEGIN {
  cost = (b - a) / n
  printf "%s: %.2f s with one checkpoint (%s), %.2f s with %d more (%s): %.3f s each, %.2f %% of a minute\n",
    size, a, wo, b, n, wi, cost, cost / 60 * 100
}'
