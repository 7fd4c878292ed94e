#!/usr/bin/env bash
# What a second worker gives to training: one one-thread worker beside two, in turn, on loopback with mTLS; tokens/s of a
# job's steps, medians.
#   benchmarks/data_parallel.sh [SIZE [BATCH [STEPS [ROUNDS]]]]      tiny, 32 sequences, 12 steps, 3 rounds
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:-tiny} batch=${2:-32} steps=${3:-12} rounds=${4:-3}
enigma=${ENIGMA:-$PWD/build/release/enigma}
work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
"$enigma" coordinator --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" 2>"$work/c.log" >&2 &
for _ in $(seq 200); do "$enigma" nodes --data-dir "$work/c" >/dev/null 2>&1 && break; sleep 0.05; done
token=$("$enigma" token create --data-dir "$work/c" --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')
for i in 0 1; do
  taskset -c "$i" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 127.0.0.1:0 --metrics-port 0 --threads 1 \
    --udp-port "$port" 2>"$work/w$i.log" >&2 &
done
for _ in $(seq 300); do [[ $("$enigma" nodes --data-dir "$work/c" 2>/dev/null | grep -c ' ready ') == 2 ]] && break; sleep 0.1; done
# Text enough for whole sequences: the words of a fixed sequence of numbers.
awk 'BEGIN { x = 7; for (i = 0; i < 400000; ++i) { x = (x * 1103515245 + 12345) % 2147483648; printf "w%d%s", x % 997, (i % 12 == 11) ? "\n" : " " } }' >"$work/text.txt"
rate() { # job, workers
  "$enigma" train --data "$work/text.txt" --format text --size "$size" --name "m$1" --vocab-size 1024 --batch "$batch" \
    --slots 16 --steps "$steps" --context 256 --validation-share 0 --checkpoint-seconds 3600 --workers "$2" \
    --data-dir "$work/c" >"$work/train.log" 2>&1 || { cat "$work/train.log" >&2; exit 1; }
  "$enigma" jobs watch "$1" --json --history 1000 --data-dir "$work/c" | head -n 1 | tr '{' '\n' |
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
