#!/usr/bin/env bash
# From a fresh clone to answers: builds enigma, starts a coordinator and three workers on this machine, trains a small
# model on all three with the questions in data/, cuts it across them and lets it answer; then asks the models that come
# with the program, each behind the one name "auto". With a model file, that one is cut across the workers instead.
set -euo pipefail
enigma=${ENIGMA:+$(realpath -m "$ENIGMA")}  # as seen from where the user is
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

usage() {
  cat <<'TEXT'
usage: ./quickstart.sh [MODEL.gguf | --no-train] [--prompt TEXT] [--data-dir DIR] [--keep | --no-keep] [--build-only]
  MODEL.gguf      a model to run (Llama, Mistral, TinyLlama, Qwen2 or Qwen3 family, three layers or more);
                  without it one is trained, which takes two to three minutes
  --no-train      train none: ask only the models that come with the program
  --prompt TEXT   what to continue, or to ask (default: "Once upon a time"; some questions)
  --data-dir DIR  where the cluster keeps its state (default: a temporary directory, removed at the end)
  --keep          leave the cluster running until Ctrl-C (default where the input is a terminal)
  --no-keep       stop it at the end (default elsewhere)
  --build-only    build, and start nothing
With $ENIGMA, the program of that path is used: nothing is built, and no packages are looked after.
TEXT
}

model='' prompt='' data_dir='' keep=0 build_only=0 train=1
[[ ! -t 0 ]] || keep=1
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --keep) keep=1 ;;
    --no-keep) keep=0 ;;
    --build-only) build_only=1 ;;
    --no-train) train=0 ;;
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

if [[ -n $model ]]; then
  ((train)) || { say "--no-train is for no model of yours: leave out $model"; exit 2; }
  train=0
fi
[[ -z $prompt || -n $model ]] || ((train)) || { say "--prompt is for a model that is given or trained here"; exit 2; }

shipped=(models/*.gguf)
asks=0
[[ -n $model || ! -f ${shipped[0]} ]] || ((build_only)) || asks=1
[[ -n $model ]] || ((train || asks || build_only)) || die "with --no-train there is nobody to ask: models/ has no models"
unset ENIGMA_MODELS_DIR ENIGMA_NO_DEFAULT_MODELS
((build_only == 0)) || [[ -z $enigma ]] || die "--build-only with \$ENIGMA: that program is built already"
if [[ -z $enigma ]]; then
  packages=("${PACKAGES_BUILD[@]}")
  ((asks == 0)) || command -v curl >/dev/null || packages+=("${PACKAGES_ASK[@]}")
  ensure_packages "${packages[@]}"
  build release enigma
  enigma=$ENIGMA_ROOT/build/release/enigma
fi
[[ -x $enigma ]] || die "ENIGMA: $enigma is no program"
((build_only)) && { say "built $enigma"; exit 0; }

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
if [[ -n $model ]]; then
  what=(--stages 3 --model "$model" --name quickstart)
else
  what=()
fi
"$enigma" up --workers 3 "${what[@]}" --data-dir "$data_dir" --listen 127.0.0.1:0 --http 127.0.0.1:0 \
  --udp-port "$udp_port" --ready-file "$ready" >"$log" 2>&1 &
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
if ((train)); then
  say "training a model of a million parameters on all three with data/enigma (1,409 questions and answers):"
  "$enigma" train --data data/enigma/questions.txt --task chat --size nano --name quickstart --vocab-size 512 \
    --epochs 24 --batch 6 --slots 6 --lr 0.004 --validation-share 0 --data-dir "$data_dir"
  "$enigma" load quickstart --stages 3 --data-dir "$data_dir" >/dev/null
fi
if [[ -n $model ]] || ((train)); then
  say "the model, cut across them:"
  "$enigma" models --data-dir "$data_dir"
fi

# answer PROMPT [OPTION...]: what the model makes of it, from all three workers.
answer() {
  "$enigma" generate --raw --model quickstart --max-tokens 96 --data-dir "$data_dir" "$@"
}
if [[ -n $model ]]; then
  prompt=${prompt:-Once upon a time}
  say "its answer to \"$prompt\":"
  printf '%s' "$prompt"
  answer "$prompt"
  use="build/release/enigma up --workers 3 --stages 3 --model $model   # this cluster again, until Ctrl-C
  build/release/enigma generate --raw --model $(basename "$model" .gguf) \"$prompt\"   # in another terminal"
elif ((train)); then
  questions=("$prompt")
  [[ -n $prompt ]] || questions=('What is Enigma?' 'How do I start a cluster on this machine?' 'How do I stop enigma up?')
  for question in "${questions[@]}"; do
    prompt=$(printf 'Q: %s\nA:' "$question")
    printf '%s' "$prompt"
    answer "$prompt" --temperature 0
  done
  use="build/release/enigma up --workers 3        # a cluster of your own, until Ctrl-C
  build/release/enigma train --data FILE --size nano --name mine   # in another terminal: your own questions"
else
  use="build/release/enigma up --workers 3        # this cluster again, until Ctrl-C
  build/release/enigma generate --model auto \"What is 47 plus 38?\"   # in another terminal: whichever suits the request"
fi

# The API that programs ask.
api=http://$(sed -nE 's/.*"http":"([^"]*)".*/\1/p' "$data_dir/endpoint.json")/v1

# header NAME: what the last answer said of itself.
header() { sed -nE "s/^x-enigma-$1: ([^\r]*).*$/\1/Ip" "$data_dir/headers"; }

# ask WHAT CONTENT: sends a message (CONTENT: JSON, as in OpenAI's API) to the model "auto"; shows the answer, and which of
# the models that come with the program gave it, where, and what decided that.
ask() {
  local reply text intent
  reply=$(curl -sS --noproxy '*' -D "$data_dir/headers" -H 'Content-Type: application/json' --data @- "$api/chat/completions" <<TEXT
{"model": "auto", "messages": [{"role": "user", "content": $2}], "max_tokens": 160, "temperature": 0}
TEXT
  )
  [[ $(head -n 1 "$data_dir/headers") == *" 200 "* ]] || die "$1 was answered: $reply"
  text=$(sed -nE 's/.*"content":"(([^"\\]|\\.)*)".*/\1/p' <<<"$reply")
  intent=$(header intent)
  printf '%b\n' "${text//\\\"/\"}"
  say "   $1: model $(header model) on node $(header node), chosen by $(header route-method)${intent:+ (intent $intent, confidence $(header confidence))}"
}

if ((asks)); then
  say "
four requests to the model \"auto\", for the models that come with the program (models/README.md):"
  rm -rf "$data_dir/picture"
  "$enigma" data scenes --count 1 --split test --seed 7 --out "$data_dir/picture" >/dev/null
  picture=$(base64 -w 0 "$data_dir/picture/images/000000.png")
  say "
What is a worker?"
  ask "a question" '"What is a worker?"'
  say "
Write a Python function reverse_words(text) that turns the order of the words around."
  ask "a coding task" '"Write a Python function reverse_words(text) that turns the order of the words around."'
  say "
What is 47 plus 38?"
  ask "a sum" '"What is 47 plus 38?"'
  say "
(a picture: $data_dir/picture/images/000000.png)"
  ask "a picture" '[{"type": "image_url", "image_url": {"url": "data:image/png;base64,'"$picture"'"}}]'
  say ""
  "$enigma" models --data-dir "$data_dir"
  ((keep == 0)) || use="curl $api/chat/completions -d '{\"model\": \"auto\", \"messages\": [{\"role\": \"user\", \"content\": \"What is 3 times 4?\"}]}'
  $use"
fi

say "
How to go on:
  $use
  build/release/enigma --help          # every command; README.md has three hosts by hand"
if ((keep)); then
  again="--raw --model quickstart --data-dir $data_dir \"$prompt\""
  [[ -n $model ]] || ((train)) || again="--model auto --data-dir $data_dir \"What is 3 times 4?\""
  say "
The cluster runs until Ctrl-C; its API is at $api. In another terminal:
  build/release/enigma generate $again"
  wait "$cluster"
fi
