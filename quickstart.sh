#!/usr/bin/env bash
# From a fresh clone to an answer: builds enigma, starts a coordinator and three workers on this machine, cuts a model
# across all three and streams text from it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

usage() {
  cat <<'TEXT'
usage: ./quickstart.sh [MODEL.gguf] [--prompt TEXT] [--data-dir DIR] [--keep] [--build-only]
  MODEL.gguf      the model to run (Llama, Mistral, TinyLlama, Qwen2 or Qwen3 family, three layers or more);
                  without it, ../shared/data/models/stories260K-f32.gguf where that file stands
  --prompt TEXT   what to continue (default: "Once upon a time")
  --data-dir DIR  where the cluster keeps its state (default: a temporary directory, removed at the end)
  --keep          leave the cluster running until Ctrl-C
  --build-only    build, and start nothing
TEXT
}

model='' prompt='Once upon a time' data_dir='' keep=0 build_only=0
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --keep) keep=1 ;;
    --build-only) build_only=1 ;;
    --prompt | --data-dir)
      (($# >= 2)) || { say "$1 needs a value"; exit 2; }
      if [[ $1 == --prompt ]]; then prompt=$2; else data_dir=$2; fi
      shift ;;
    -*) say "unknown option $1"; usage >&2; exit 2 ;;
    *)
      [[ -z $model ]] || { say "one model at a time: $model or $1"; exit 2; }
      model=$1 ;;
  esac
  shift
done
[[ -z $model || -f $model ]] || { say "no such model file: $model"; exit 2; }

ensure_packages "${PACKAGES_BUILD[@]}"
build release enigma
enigma=$ENIGMA_ROOT/build/release/enigma
((build_only)) && { say "built $enigma"; exit 0; }

default_model=../shared/data/models/stories260K-f32.gguf
if [[ -z $model ]]; then
  if [[ ! -f $default_model ]]; then
    say "enigma is built: $enigma
There is no model here to try it with. Pass a GGUF file of the Llama, Mistral, TinyLlama, Qwen2 or Qwen3 family:
  ./quickstart.sh /path/to/model.gguf"
    exit 2
  fi
  model=$default_model
fi

temporary=''
if [[ -z $data_dir ]]; then
  temporary=$(mktemp -d "${TMPDIR:-/tmp}/enigma-quickstart.XXXXXX")
  data_dir=$temporary
fi
cluster=''
stop_cluster() {
  local status=$?
  trap - EXIT INT TERM
  if [[ -n $cluster ]] && kill -0 "$cluster" 2>/dev/null; then
    kill -TERM "$cluster" 2>/dev/null || true
    wait "$cluster" 2>/dev/null || true
  fi
  [[ -z $temporary ]] || rm -rf "$temporary"
  exit "$status"
}
trap stop_cluster EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Free ports, so that a cluster that runs already is left in peace; the beacons' port too.
udp_port=$((20000 + RANDOM % 10000))
log=$(log_path quickstart-cluster)
ready=$data_dir/quickstart.ready
rm -f "$ready"
say "starting one coordinator and three workers (log: $log)"
"$enigma" up --workers 3 --stages 3 --model "$model" --name quickstart --data-dir "$data_dir" \
  --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$udp_port" --ready-file "$ready" >"$log" 2>&1 &
cluster=$!
started=$SECONDS
while [[ ! -f $ready ]]; do
  if ! kill -0 "$cluster" 2>/dev/null; then
    say "the cluster ended before it was ready. The end of $log:"
    tail -n 40 "$log" >&2
    exit 1
  fi
  if ((SECONDS - started > 600)); then
    say "the cluster was not ready after 600 s. The end of $log:"
    tail -n 40 "$log" >&2
    exit 1
  fi
  sleep 0.2
done

say "the nodes:"
"$enigma" nodes --data-dir "$data_dir"
say "the model, cut across them:"
"$enigma" models --data-dir "$data_dir"
say "its answer to \"$prompt\":"
printf '%s' "$prompt"
"$enigma" generate --raw --model quickstart --max-tokens 96 --data-dir "$data_dir" "$prompt"

say "
How to go on:
  build/release/enigma up --workers 3 --stages 3 --model $model   # this cluster again, until Ctrl-C
  build/release/enigma generate --raw --model $(basename "$model" .gguf) \"$prompt\"   # in another terminal
  build/release/enigma --help          # every command; README.md has three hosts by hand"
if ((keep)); then
  say "
The cluster runs until Ctrl-C. In another terminal:
  build/release/enigma generate --raw --model quickstart --data-dir $data_dir \"$prompt\""
  wait "$cluster"
fi
