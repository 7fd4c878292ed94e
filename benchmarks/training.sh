#!/usr/bin/env bash
# Training steps beside PyTorch: the same decoder, batch and threads, in turn in one run; medians and their ratio.
# For small also with bf16 products, beside f32.
#   benchmarks/training.sh [ROUNDS [SIZE...]]     5 rounds of nano, tiny and small
# Needs build/release/benchmarks/training_bench, python3-torch and a program that takes NAME BATCH CONTEXT THREADS STEPS
# and prints "tok/s median N" (TORCH_PROGRAM; default ../shared/bench/pytorch_training.py). Which BLAS PyTorch calls is
# the system's choice (update-alternatives --config libblas.so.3-x86_64-linux-gnu): it is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source benchmarks/loopback_cluster.sh
rounds=${1:-5}
shift || true
sizes=("$@")
((${#sizes[@]} > 0)) || sizes=(nano tiny small)
program=${TORCH_PROGRAM:-../shared/bench/pytorch_training.py}
python=${PYTHON:-/usr/bin/python3}
bench=build/release/benchmarks/training_bench
[[ -x $bench ]] || { echo "build it first: cmake --build build/release --target training_bench" >&2; exit 1; }
[[ -f $program ]] || { echo "no such program: $program (set TORCH_PROGRAM)" >&2; exit 1; }
"$python" -c 'import torch' 2>/dev/null || { echo "PyTorch is missing: apt-get install python3-torch" >&2; exit 1; }

# size: sequences, vocabulary, slots, feed-forward, steps
declare -A shape=([nano]='16 512 8 344 8' [tiny]='16 1024 8 688 4' [small]='8 8192 4 1376 3')
export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

rate() { sed -nE 's/.*tok\/s median ([0-9.]+).*/\1/p'; }

printf 'BLAS: %s\n' "$(readlink -f /etc/alternatives/libblas.so.3-x86_64-linux-gnu 2>/dev/null || echo unknown)"
for size in "${sizes[@]}"; do
  read -r sequences vocab slots ffn steps <<<"${shape[$size]}"
  declare -A rates=()
  for ((round = 0; round < rounds; ++round)); do
    for threads in 1 2; do
      step=("$size" "$sequences" 256 "$vocab" "$threads" "$steps" "$slots" "$ffn")
      rates[enigma$threads]+=" $("$bench" "${step[@]}" | rate)"
      [[ $size != small ]] || rates[bf16$threads]+=" $("$bench" --precision bf16 "${step[@]}" | rate)"
      rates[torch$threads]+=" $("$python" "$program" "$size" "$sequences" 256 "$threads" "$steps" | rate)"
    done
  done
  for who in "${!rates[@]}"; do
    rates[$who]=$(tr ' ' '\n' <<<"${rates[$who]}" | sed '/^$/d' | median)
  done
  awk -v size="$size" -v e1="${rates[enigma1]}" -v e2="${rates[enigma2]}" -v t1="${rates[torch1]}" -v t2="${rates[torch2]}" 'BEGIN {
    best = t1 > t2 ? t1 : t2
    printf "%-6s tokens/s: enigma %.0f (1 thread) %.0f (2); PyTorch %.0f (1) %.0f (2); ratio %.2f\n", size, e1, e2, t1, t2, e2 / best
  }'
  [[ $size == small ]] || continue
  awk -v size="$size" -v b1="${rates[bf161]}" -v b2="${rates[bf162]}" -v e1="${rates[enigma1]}" -v e2="${rates[enigma2]}" 'BEGIN {
    printf "%-6s bf16 tokens/s: %.0f (1 thread) %.0f (2); ratio to f32 %.2f (1) %.2f (2)\n", size, b1, b2, b1 / e1, b2 / e2
  }'
done
