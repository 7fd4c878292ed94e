# Sourced by the scripts beside it: a cluster of this machine's own binary on loopback, and the median of what it took.
# Sets `enigma`: ENIGMA, or the release build.
enigma=${ENIGMA:-$PWD/build/release/enigma}

# The middle of the numbers on standard input, one a line.
median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

on() { "$enigma" "$@" --data-dir "$work/c"; } # a command for the cluster
quietly() { on "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

# Sets `work`, a folder that goes when the script ends, as do the processes it started, and `port`, for beacons.
begin() {
  work=$(mktemp -d) port=$((20000 + RANDOM % 10000))
  trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
}

# A coordinator, its log in $work/c.log.
start_coordinator() {
  "$enigma" coordinator --no-default-models --data-dir "$work/c" --listen 127.0.0.1:0 --http 127.0.0.1:0 --udp-port "$port" \
    2>"$work/c.log" >&2 &
  for _ in $(seq 200); do on nodes >/dev/null 2>&1 && return; sleep 0.05; done
  cat "$work/c.log" >&2
  exit 1
}

# One-thread workers on the first cores, their logs in $work/wI.log; waits until they are ready.
start_workers() { # how many
  local token i
  token=$(on token create --json | tr -d ' \n' | sed -E 's/.*"token":"([^"]*)".*/\1/')
  for ((i = 0; i < $1; ++i)); do
    taskset -c "$i" "$enigma" worker --data-dir "$work/w$i" --token "$token" --listen 127.0.0.1:0 --metrics-port 0 --threads 1 \
      --udp-port "$port" 2>"$work/w$i.log" >&2 &
  done
  await_ready "$1"
}

await_ready() { # how many nodes
  for _ in $(seq 300); do [[ $(on nodes 2>/dev/null | grep -c ' ready ') == "$1" ]] && return; sleep 0.1; done
  printf 'not %d nodes are ready after 30 s:\n' "$1" >&2
  on nodes >&2
  exit 1
}

# A training job on text enough for whole sequences of 256 tokens: the words of a fixed sequence of numbers.
train() { # name, then what the job is to have besides
  [[ -f $work/text.txt ]] || awk 'BEGIN {
    x = 7
    for (i = 0; i < 400000; ++i) { x = (x * 1103515245 + 12345) % 2147483648; printf "w%d%s", x % 997, (i % 12 == 11) ? "\n" : " " }
  }' >"$work/text.txt"
  quietly train --data "$work/text.txt" --format text --name "$1" --vocab-size 1024 --context 256 --validation-share 0 \
    --checkpoint-seconds 3600 "${@:2}"
}
