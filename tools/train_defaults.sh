#!/usr/bin/env bash
# Makes the models of models/ from the data of this repository: router, code, math, vision and chat, one after another, by
# training jobs on a cluster of one worker. The same commit and processor class give the same bytes, whatever the number of
# workers and threads. What is made already is not made again, and a job that was interrupted goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup.sh

ALL=(router code math vision chat)
VOCABULARY=2048  # tokens of the one tokenizer that all but the router share
SPARES=32        # of these for pictures and for later

usage() {
  cat <<'TEXT'
usage: tools/train_defaults.sh [--only NAME]... [--data-dir DIR] [--out DIR] [--check]
  --only NAME     make router, code, math, vision or chat alone; may be repeated (default: all that are not there yet)
  --data-dir DIR  where data and jobs are kept, to go on after an interruption (default: in build/defaults, one for
                  each state of data/ and of this script)
  --out DIR       where the models are written (default: models; with --check DATA_DIR/models)
  --check         compare what is made with models/SHA256SUMS instead of writing it
TEXT
}

only=() data_dir='' out='' check=0
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --check) check=1 ;;
    --only | --data-dir | --out)
      (($# >= 2)) && [[ -n $2 ]] || { say "$1 needs a value"; exit 2; }
      case $1 in
        --only)
          [[ " ${ALL[*]} " == *" $2 "* ]] || { say "--only: there is no model $2; there are ${ALL[*]}"; exit 2; }
          only+=("$2") ;;
        --data-dir) data_dir=$2 ;;
        --out) out=$2 ;;
      esac
      shift ;;
    *) say "unknown option $1"; usage >&2; exit 2 ;;
  esac
  shift
done
((${#only[@]} > 0)) || only=("${ALL[@]}")
# Models of other data, or of other settings, are others.
state=$(cat tools/train_defaults.sh data/*/* | sha256sum | cut -c 1-12)
given=$data_dir
[[ -n $data_dir ]] || data_dir=$ENIGMA_ROOT/build/defaults/$state
# What is to be compared is made by the program as it is now, and once that is done it is not taken for another time.
((check == 0)) || [[ -n $given ]] || data_dir=$data_dir-check
unset ENIGMA_MODELS_DIR ENIGMA_NO_DEFAULT_MODELS
mkdir -p "$data_dir"
data_dir=$(cd "$data_dir" && pwd)
if [[ -z $out ]]; then
  out=models
  ((check == 0)) || out=$data_dir/models
fi
mkdir -p "$out"
made=$data_dir/data  # what is trained on and is not in the repository
mkdir -p "$made"

enigma=${ENIGMA:-}
if [[ -z $enigma ]]; then
  ensure_packages "${PACKAGES_BUILD[@]}"
  build release enigma
  enigma=$ENIGMA_ROOT/build/release/enigma
fi

# --- what is trained on

# made_file PATH COMMAND...: runs the command, which writes what it is given as its last argument, unless PATH is there.
made_file() {
  local path=$1
  shift
  [[ ! -e $path ]] || return 0
  rm -rf "$path.part"
  "$@" "$path.part" >&2
  mv "$path.part" "$path"
}

captions() { sed -n 's/^.*"caption": *"\([^"]*\)".*$/\1/p' "$made/scenes/captions.jsonl" >"$1"; }
requests() { cut -f 2- data/intents/requests.tsv >"$1"; }

tokenizer() {
  "$enigma" train-tokenizer --vocab-size "$VOCABULARY" --spares "$SPARES" --data data/enigma/questions.txt \
    --data "$made/requests.txt" --data "$made/code.jsonl" --data "$made/math.jsonl" --data "$made/captions.txt" --output "$1"
}

make_data() {
  made_file "$made/code.jsonl" "$enigma" data code --out
  made_file "$made/math.jsonl" "$enigma" data math --count 40000 --seed 1 --out
  made_file "$made/scenes" "$enigma" data scenes --count 40000 --seed 1 --out
  made_file "$made/scenes-test" "$enigma" data scenes --count 1000 --seed 2 --split test --out
  made_file "$made/captions.txt" captions
  made_file "$made/requests.txt" requests
  made_file "$made/tokenizer.gguf" tokenizer
}

# --- the cluster

cluster=''
stop_cluster() {
  [[ -n $cluster ]] || return 0
  kill -TERM "$cluster" 2>/dev/null || true
  wait "$cluster" 2>/dev/null || true
  cluster=''
}
trap stop_cluster EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_cluster() {
  [[ -z $cluster ]] || return 0
  local log ready=$data_dir/defaults.ready
  log=$(log_path train-defaults-cluster)
  rm -f "$ready"
  "$enigma" up --workers 1 --no-default-models --data-dir "$data_dir/cluster" --listen 127.0.0.1:0 --http 127.0.0.1:0 \
    --udp-port $((20000 + RANDOM % 10000)) --ready-file "$ready" >"$log" 2>&1 &
  cluster=$!
  while [[ ! -f $ready ]]; do
    kill -0 "$cluster" 2>/dev/null || { tail -n 40 "$log" >&2; die "the cluster ended before it was ready ($log)"; }
    sleep 0.2
  done
}

on_cluster() { "$enigma" "$@" --data-dir "$data_dir/cluster"; }
is_registered() { on_cluster models | awk -v name="$1" '$1 == name { found = 1 } END { exit !found }'; }

# train NAME OPTION...: the model NAME of a job with these options; that job goes on where it was begun before.
train() {
  local name=$1 job='' state=''
  shift
  start_cluster
  ! is_registered "$name" || return 0
  read -r job state < <(on_cluster jobs | awk -v name="$name" '$2 == name { id = $1; end = $0 ~ / done/ ? "done" :
    $0 ~ / (failed|cancelled)/ ? "ended" : "live" } END { print id, end }') || true
  if [[ $state == done ]]; then  # and its model was removed
    on_cluster jobs rm "$job" >&2
    job=''
  fi
  if [[ -z $job ]]; then
    on_cluster train --name "$name" "$@"
  else
    [[ $state == live ]] || on_cluster jobs resume "$job" >&2  # one that has not ended goes on by itself
    on_cluster jobs watch "$job"
  fi
  is_registered "$name" || die "job $job made no model $name: enigma jobs --data-dir $data_dir/cluster"
}

# --- the models, each with what it is trained by; the figures are in benchmarks/quality.md

common=(--precision bf16 --seed 1)
shared=(--tokenizer "$made/tokenizer.gguf" "${common[@]}")
# Few texts teach few words unless the questions are learned, too.
thorough=(--epochs 40 --batch 16 --lr 0.002 --train-on-prompts --dropout 0.1 --token-dropout 0.1 --validation-share 0)

train_router() {  # with a vocabulary of its own, trained on its texts
  train router-words --task router --data data/intents/requests.tsv "${common[@]}"
  train router --task router --data data/intents/requests.tsv --base router-words --answers-only --epochs 6 --lr 0.0005 \
    "${common[@]}"
}
train_code() { train code --task code --data "$made/code.jsonl" --size tiny "${thorough[@]}" "${shared[@]}"; }
train_math() {
  train math --task math --data "$made/math.jsonl" --size nano --epochs 6 --batch 16 --lr 0.003 --validation-share 0.01 \
    "${shared[@]}"
}
train_vision() {
  train vision --task vision --data "$made/scenes" --size nano --epochs 10 --batch 8 --lr 0.002 --crop-side 0.98 \
    --validation-share 0.01 "${shared[@]}"
}
train_chat() { train chat --task chat --data data/enigma/questions.txt --size tiny "${thorough[@]}" "${shared[@]}"; }

files_of() { if [[ $1 == vision ]]; then echo vision.gguf vision.encoder.gguf; else echo "$1.gguf"; fi; }
is_made() {
  local file
  for file in $(files_of "$1"); do [[ -f $out/$file ]] || return 1; done
}

make_model() {
  local name=$1 seconds=$SECONDS
  if is_made "$name"; then
    say "$out/$name.gguf is there already"
    return 0
  fi
  say "making $name"
  make_data
  "train_$name"
  on_cluster models export "$name" --type q8_0 --out "$out/$name.gguf" --force
  say "$out/$name.gguf is made ($((SECONDS - seconds)) s)"
}

# --- how good they are

judge() {
  local name=$1
  say ""
  say "$name:"
  make_data
  case $name in
    router) "$enigma" eval router --model "$out/router.gguf" --data data/intents/requests.tsv --held-out 0.1 ;;
    code) "$enigma" eval code --local "$out/code.gguf" ;;
    math) "$enigma" eval math --local "$out/math.gguf" ;;
    vision)
      "$enigma" eval caption --model "$out/vision.gguf" --encoder "$out/vision.encoder.gguf" --data "$made/scenes-test" ;;
    chat)
      local question
      for question in 'What is Enigma?' 'which port does http use' 'Who won the football match yesterday?'; do
        printf 'Q: %s\nA:' "$question"
        "$enigma" generate --local "$out/chat.gguf" --max-tokens 64 "$question"
      done ;;
  esac
}

# --- the same bytes

sums() { (cd "$out" && find . -maxdepth 1 -name '*.gguf' -printf '%f\n' | LC_ALL=C sort | xargs -r sha256sum); }

compare() {
  local name sum file different=0
  for name in "${only[@]}"; do
    for file in $(files_of "$name"); do
      sum=$(awk -v file="$file" '$2 == file { print $1 }' models/SHA256SUMS)
      if [[ -n $sum && $(sha256sum <"$out/$file") == "$sum "* ]]; then
        say "$file: the same bytes"
      else
        say "$file: NOT the same bytes as in models/SHA256SUMS"
        different=1
      fi
    done
  done
  return "$different"
}

for name in "${only[@]}"; do make_model "$name"; done
stop_cluster
different=0
if ((check)); then
  [[ -f models/SHA256SUMS ]] || die "there is no models/SHA256SUMS to compare with"
  compare || different=1
else
  sums >"$out/SHA256SUMS"
fi
# What cannot be judged here, such as programs where no sandbox is to be had, is made all the same.
for name in "${only[@]}"; do judge "$name" || say "$name could not be judged"; done
((different == 0)) || die "what was made differs from what is committed"
((check == 0)) || [[ -n $given ]] || rm -rf "$data_dir"
