#!/usr/bin/env bash
# Everything that must hold before a change lands: build, checks of the tree, tests in release, unit tests and fuzz
# corpora under AddressSanitizer+UBSan, unit tests under ThreadSanitizer. Ends with a table of counts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

usage() {
  cat <<'TEXT'
usage: ./test.sh [--fast] [--with LABEL]
  --fast         release only, no sanitizer builds
  --with LABEL   also run the tests labelled gpu or soak, which are left out otherwise; soak trains for up to an hour and
                 fuzzes for minutes (clang)
TEXT
}
fast=0 excluded='gpu|soak'
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --fast) fast=1 ;;
    --with)
      case ${2:-} in
        gpu) excluded=soak ;;
        soak) excluded=gpu PACKAGES_TEST+=("${PACKAGES_FUZZ[@]}") ;;
        *) usage >&2; exit 2 ;;
      esac
      shift ;;
    *) say "unknown option $1"; usage >&2; exit 2 ;;
  esac
  shift
done

summary=()
failures=0

# ctest_step NAME PRESET ARGUMENTS...: runs tests, keeps their log, and adds a row to the summary: test programs, the
# single tests inside them, and what was skipped, with the reason.
ctest_step() {
  local name=$1 preset=$2 log status=0 seconds=$SECONDS programs failed passed skipped
  shift 2
  log=$(log_path "test-$name")
  rm -f "build/$preset/Testing/Temporary/LastTest.log"
  run_step "test-$name" "testing $name" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@" ||
    status=$?
  programs=$(grep -acE '^ *[0-9]+/[0-9]+ Test +#' "$log" || true)
  failed=$(grep -acE '^ *[0-9]+/[0-9]+ Test +#.*(\*\*\*Failed|\*\*\*Exception|\*\*\*Timeout|\*\*\*Not Run)' "$log" || true)
  local cases=build/$preset/Testing/Temporary/LastTest.log
  passed=$(grep -acE '^\[       OK \]' "$cases" 2>/dev/null || true)
  skipped=$(grep -acE '^\[  SKIPPED \].*\(' "$cases" 2>/dev/null || true)
  summary+=("$(printf '%-10s %4s programs, %4s failed; %5s tests passed, %4s skipped; %4ss' "$name" "${programs:-0}" \
    "${failed:-0}" "${passed:-0}" "${skipped:-0}" "$((SECONDS - seconds))")")
  if ((status != 0)); then
    # What failed and where, so that the summary alone says it.
    while read -r line; do summary+=("           failed: $line"); done < <(
      grep -aE '^\[  FAILED  \] .*ms\)$|: Failure$|WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:' \
        "$log" | sed 's/^[0-9]*: //' | sort -u | head -n 12)
  fi
  if [[ ${skipped:-0} != 0 ]]; then
    # The sentence a test gives when it skips stands on the line after its place in the source.
    while read -r line; do summary+=("           skipped: $line"); done < <(
      grep -aA1 -E ': Skipped$' "$cases" | grep -avE ': Skipped$|^--$' | sort | uniq -c | sort -rn | head -n 12)
  fi
  ((status == 0)) || failures=$((failures + 1))
}

# build_step PRESET TARGET...: a failed build is counted and said at the end, and later steps still run.
build_step() {
  local preset=$1 seconds=$SECONDS
  if build "$@"; then
    summary+=("$(printf '%-10s built in %ss' "$preset" "$((SECONDS - seconds))")")
  else
    summary+=("$(printf '%-10s BUILD FAILED' "$preset")")
    failures=$((failures + 1))
    return 1
  fi
}

ensure_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_TEST[@]}"
npm_install tests/clients examples/node

if run_step check "checking the tree" tools/check; then
  summary+=("$(tail -n 1 "$(log_path check)")")
else
  summary+=("tools/check FAILED: $(log_path check)")
  failures=$((failures + 1))
fi
if build_step release all; then
  ctest_step release release -LE "$excluded" -j "$(nproc)"
fi
# Tests ask for more memory than there is and expect an error, not the sanitizer's own end of the program.
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$ENIGMA_ROOT/tools/lsan.supp}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-allocator_may_return_null=1:halt_on_error=0:second_deadlock_stack=1:history_size=7:suppressions=$ENIGMA_ROOT/tools/tsan.supp}
if ((!fast)); then
  if build_step asan unit_tests fuzz_replays; then
    ctest_step asan asan -L '^(unit|fuzz)$' -j "$(nproc)"
  fi
  # Without the tests that say they start no thread.
  if build_step tsan unit_tests; then
    ctest_step tsan tsan -L '^unit$' -j "$(nproc)"
  fi
fi

if [[ $excluded == gpu ]]; then
  if ! command -v clang++ >/dev/null; then
    summary+=("fuzz       NOT RUN: clang is not installed")
    failures=$((failures + 1))
  elif build_step fuzz fuzz_replays; then
    ctest_step fuzz fuzz -L '^soak$' -j "$(nproc)"
  fi
fi

printf '\nSummary\n'
printf '  %s\n' "${summary[@]}"
if ((failures > 0)); then
  printf 'FAILED: %d step(s); logs in build/logs\n' "$failures"
  exit 1
fi
printf 'All passed in %d min %d s.\n' "$((SECONDS / 60))" "$((SECONDS % 60))"
