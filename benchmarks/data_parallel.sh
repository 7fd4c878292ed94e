#!/usr/bin/env bash
# What a second worker gives to training: one one-thread worker beside two, in turn, on loopback with mTLS; tokens/s of a
# job's steps, medians.
#   benchmarks/data_parallel.sh [SIZE [BATCH [STEPS [ROUNDS]]]]      tiny, 32 sequences, 12 steps, 3 rounds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:-tiny} batch=${2:-32} steps=${3:-12} rounds=${4:-3}
source benchmarks/loopback_cluster.sh
begin
start_coordinator
start_workers 2
rate() { # job, workers
  train "m$1" --size "$size" --batch "$batch" --slots 16 --steps "$steps" --workers "$2"
  on jobs watch "$1" --json --history 1000 | head -n 1 | tr '{' '\n' |
    sed -nE 's/.*"step":([0-9]+),.*"tokens_per_second":([0-9.]+).*/\1 \2/p' | awk '$1 > 2 { print $2 }' | median
}
one=() two=()
for ((round = 0; round < rounds; ++round)); do
  one+=("$(rate $((2 * round + 1)) 1)")
  two+=("$(rate $((2 * round + 2)) 2)")
done
a=$(printf '%s\n' "${one[@]}" | median) b=$(printf '%s\n' "${two[@]}" | median)
printf '%s, batch %s: one worker %s tokens/s (%s), two %s (%s), ratio %s\n' "$size" "$batch" "$a" "${one[*]}" "$b" "${two[*]}" \
  "$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", b / a }')"
