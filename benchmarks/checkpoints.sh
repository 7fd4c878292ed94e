#!/usr/bin/env bash
# What checkpoints take of a training job's time: the same job with a checkpoint after every second step and with none but
# the last, in turn, by the coordinator's clock; the medians' difference is what the checkpoints cost, and a checkpoint's
# cost over a minute, the default interval, is their share. Steps must be longer than a write, or writes queue up.
#   benchmarks/checkpoints.sh [SIZE [BATCH [STEPS [ROUNDS]]]]      tiny, 16 sequences of 256 tokens, 20 steps, 5 rounds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:-tiny} batch=${2:-16} steps=${3:-20} rounds=${4:-5}
enigma=${ENIGMA:-$PWD/build/release/enigma}
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
"$enigma" up --workers 1 --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" \
  2>"$work/up.log" >&2 &
for _ in $(seq 300); do [[ $("$enigma" nodes --data-dir "$work/c" 2>/dev/null | grep -c ' ready ') == 1 ]] && break; sleep 0.1; done
# Text enough for whole sequences: the words of a fixed sequence of numbers.
awk 'BEGIN { x = 7; for (i = 0; i < 400000; ++i) { x = (x * 1103515245 + 12345) % 2147483648; printf "w%d%s", x % 997, (i % 12 == 11) ? "\n" : " " } }' >"$work/text.txt"
seconds() { # job, how often
  "$enigma" train --data "$work/text.txt" --format text --size "$size" --name "m$1" --vocab-size 1024 --batch "$batch" \
    --steps "$steps" --context 256 --validation-share 0 --checkpoint-seconds 3600 --checkpoint-every "$2" \
    --data-dir "$work/c" >"$work/train.log" 2>&1 || { cat "$work/train.log" >&2; exit 1; }
  "$enigma" jobs watch "$1" --json --data-dir "$work/c" | tr ',{}' '\n\n\n' | awk -F: '
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
