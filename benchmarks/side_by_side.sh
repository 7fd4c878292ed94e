#!/usr/bin/env bash
# Enigma's engine beside another engine's bench program, in turn, on the same model file and threads.
#   benchmarks/side_by_side.sh PEER_BENCH MODEL.gguf [THREADS...]
# PEER_BENCH is a program that takes -m -p -n -t -r -o csv as llama-bench does. Prints medians of REPEATS (5) runs each
# of prefill (512 tokens) and decode (128 tokens), and the ratio. Runs alternate, so that both meet the same machine.
set -euo pipefail
cd "$(dirname "$0")/.."
peer=${1:?usage: $0 PEER_BENCH MODEL.gguf [THREADS...]}
model=${2:?usage: $0 PEER_BENCH MODEL.gguf [THREADS...]}
shift 2
threads=("${@:-1}")
repeats=${REPEATS:-5} prompt=${PROMPT:-512} generate=${GENERATE:-128}
source benchmarks/loopback_cluster.sh

# One measurement of the peer: avg_ts of the row whose n_prompt (prefill) or n_gen (decode) is not 0.
peer_run() { # threads p n
  "$peer" -m "$model" -p "$2" -n "$3" -t "$1" -r 1 -o csv 2>/dev/null |
    awk -F'","' 'NR==1 {gsub(/"/,""); n=split($0,h,","); for(i=1;i<=n;i++) if(h[i]=="avg_ts") c=i} NR==2 {gsub(/"/,"",$c); print $c}'
}
enigma_run() { # threads p n key
  "$enigma" bench --model "$model" -p "$2" -n "$3" -t "$1" -r 1 --json 2>/dev/null | tr -d ' \n' |
    sed -E "s/.*\"$4\":\{[^}]*\"median\":([0-9.eE+-]+).*/\1/"
}
printf '%-28s %-8s %-3s %12s %12s %7s\n' model phase t enigma peer ratio
for t in "${threads[@]}"; do
  for phase in prefill decode; do
    mine=() theirs=()
    for _ in $(seq "$repeats"); do
      if [ "$phase" = prefill ]; then
        mine+=("$(enigma_run "$t" "$prompt" 0 prefill_tps)"); theirs+=("$(peer_run "$t" "$prompt" 0)")
      else
        mine+=("$(enigma_run "$t" 0 "$generate" decode_tps)"); theirs+=("$(peer_run "$t" 0 "$generate")")
      fi
    done
    a=$(printf '%s\n' "${mine[@]}" | median) b=$(printf '%s\n' "${theirs[@]}" | median)
    printf '%-28s %-8s %-3s %12.2f %12.2f %7.2f\n' "$(basename "$model")" "$phase" "$t" "$a" "$b" \
      "$(awk -v a="$a" -v b="$b" 'BEGIN {print a/b}')"
  done
done
