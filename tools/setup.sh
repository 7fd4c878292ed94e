# Sourced by quickstart.sh and test.sh: packages, configuring and building, quietly and with progress.
# Every step writes to build/logs; a failed step shows the end of its log.
# shellcheck shell=bash disable=SC2034

ENIGMA_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOGS=$ENIGMA_ROOT/build/logs

# What Debian 12 must have installed, and what each is for.
PACKAGES_BUILD=(
  g++ cmake ninja-build pkg-config ccache lld            # compile, cache, link
  protobuf-compiler protobuf-compiler-grpc               # proto/*.proto to C++
  libprotobuf-dev libgrpc++-dev libabsl-dev libssl-dev   # RPC, TLS, status types
  librocksdb-dev libgflags-dev                           # the coordinator's store (its CMake package asks for gflags)
  prometheus-cpp-dev libcurl4-openssl-dev zlib1g-dev     # metrics (its CMake package asks for curl and zlib)
  libspdlog-dev nlohmann-json3-dev libcli11-dev libyaml-cpp-dev libpcre2-dev
  libboost-dev                                           # the HTTP server (Beast)
  libjpeg62-turbo-dev libpng-dev                         # images
  libhwy-dev                                             # SIMD with dispatch at run time
  libgloo-dev                                            # sums of training on a trusted network
  libgtest-dev libgmock-dev                              # tests
)
# What quickstart.sh asks the HTTP API with.
PACKAGES_ASK=(curl)
# What the tests and checks need on top: network namespaces, the formatter, and what clients in other languages run on.
PACKAGES_TEST=(iproute2 nftables procps clang-format python3-grpcio)
command -v node >/dev/null || PACKAGES_TEST+=(nodejs npm)  # unless it is here from elsewhere
# What fuzzing needs on top of that. What libFuzzer links is only recommended by clang, so it has to be named.
PACKAGES_FUZZ=(clang libclang-rt-dev)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Once the directory of logs exists, a step's log is kept there under its name.
log_path() { mkdir -p "$LOGS"; printf '%s/%s.log' "$LOGS" "$1"; }

# What a ninja log has reached: "[12/340]"; else nothing.
ninja_position() { grep -aoE '^\[[0-9]+/[0-9]+\]' "$1" 2>/dev/null | tail -n 1 || true; }

# run_step NAME TEXT COMMAND...: runs a command into its log. A terminal sees a line that moves; a plain log gets a line
# when the step starts, one a minute, and one when it ends.
run_step() {
  local name=$1 text=$2 log started pid status=0 last=0 now position
  shift 2
  log=$(log_path "$name")
  started=$(date +%s)
  "$@" >"$log" 2>&1 &
  pid=$!
  [[ -t 2 ]] || say "$text ..."
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.5
    now=$(($(date +%s) - started))
    position=$(ninja_position "$log")
    if [[ -t 2 ]]; then
      printf '\r\033[K%s ... %ds %s' "$text" "$now" "$position" >&2
    elif ((now - last >= 60)); then
      last=$now
      say "$text ... ${now}s $position"
    fi
  done
  wait "$pid" || status=$?
  now=$(($(date +%s) - started))
  [[ -t 2 ]] && printf '\r\033[K' >&2
  if ((status != 0)); then
    say "$text: FAILED after ${now}s (status $status). The end of $log:"
    tail -n 60 "$log" >&2
    return "$status"
  fi
  say "$text: done in ${now}s"
}

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || printf '%s\n' "$package"
  done
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  "${SUDO[@]}" apt-get update -q
  "${SUDO[@]}" apt-get install -y -q --no-install-recommends "$@"
}

# ensure_packages NAMES...: installs what is missing as root (or with a sudo that asks nothing); else says the command.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not Debian: the packages are not checked; cmake will name what it misses (needed: $*)"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return 0
  SUDO=()
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      SUDO=(sudo -n)
    else
      die "these packages are missing; install them and start again:
  sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  run_step packages "installing ${#missing[@]} packages" apt_install "${missing[@]}"
}

# npm_install DIRECTORY...: the Node modules that each directory's lock file names, for tests that run programs of other
# people. Where there is no npm or no registry it says so and goes on: those tests skip with a sentence.
npm_install() {
  local directory log
  for directory in "$@"; do
    [[ $directory/node_modules/.package-lock.json -nt $directory/package-lock.json ]] && continue
    if ! command -v npm >/dev/null; then
      say "npm is not installed: tests that need the Node modules of $directory skip"
      continue
    fi
    log=$(log_path "npm-${directory//\//-}")
    if ! timeout 180 npm ci --prefix "$directory" --ignore-scripts --no-audit --no-fund >"$log" 2>&1 </dev/null; then
      say "the Node modules of $directory cannot be installed ($log): tests that need them skip"
    fi
  done
}

# build PRESET TARGET...: configures where needed and builds. More jobs than memory allows (about 1.5 GiB each) would end
# in the compiler being killed.
build() {
  local preset=$1 jobs memory_jobs
  shift
  jobs=${ENIGMA_JOBS:-$(nproc)}
  memory_jobs=$(awk '/^MemAvailable/ { n = int($2 / 1572864); print n < 1 ? 1 : n }' /proc/meminfo)
  ((jobs > memory_jobs)) && jobs=$memory_jobs
  cd "$ENIGMA_ROOT" || return
  if [[ ! -f build/$preset/build.ninja ]]; then
    run_step "configure-$preset" "configuring $preset" cmake --preset "$preset"
  fi
  run_step "build-$preset" "building $preset" cmake --build "build/$preset" -j "$jobs" --target "$@"
}
