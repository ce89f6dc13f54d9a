# shellcheck shell=bash disable=SC2154  # setup.sh sets repo and logs
#
# The suites of tests/run. Each builds what it needs and counts what passed and failed; one that cannot run has failed.
# Sourced after setup.sh.

passed=0
failed=0
broken=()

# count SUITE LOG CODE: adds up what a runner said at its end ("100% tests passed, 0 tests failed out of 12" of ctest, or
# "N passed, N failed"). A runner that counted nothing, or that failed without saying so, counts as one failure.
count() {
  local suite="$1" log="$2" code="$3" good=0 bad=0 total
  if total=$(grep -oE '[0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1) && [[ -n $total ]]; then
    bad=${total%% *}
    good=$((${total##* } - bad))
  elif total=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1) && [[ -n $total ]]; then
    good=${total%% *}
    total=${total#*, }
    bad=${total%% *}
  fi
  if ((good + bad == 0 || (code != 0 && bad == 0))); then bad=$((bad + 1)); fi
  passed=$((passed + good))
  failed=$((failed + bad))
  if ((bad == 0)); then return; fi
  broken+=("$suite: $(failed_in "$log" "$bad"), the whole log: $log")
  mapfile -t -O "${#broken[@]}" broken < <(reasons_in "$log")
}

# failed_in LOG COUNT: the names of what failed, as far as its runner named them ("12 - name (Failed)" at the end of ctest,
# or "FAILED  name"); else how many did.
failed_in() {
  local log="$1" bad="$2" names
  names=$({
    sed -nE 's/^[[:space:]]+[0-9]+ - ([^ ]+) \((.*)\)[^()]*$/\1 (\2)/p' "$log"
    sed -nE 's/^FAILED  ([^ ].*)$/\1/p' "$log"
  } | head -n 20 | paste -sd '|' - | sed 's/|/, /g')
  echo "${names:-$bad failed}"
}

# reasons_in LOG: for the first tests that ctest says failed, the lines of what they printed that tell why, or the last ones.
reasons_in() {
  awk '
    function tell(  i) {
      if (name == "") return
      if (told == 0) for (i = lines > 3 ? lines - 2 : 1; i <= lines; i++) print "  " name ": " substr(line[i], 1, 300)
      name = ""
    }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: |^ +Start +[0-9]+: |% tests passed/ {
      tell()
      if (/\*\*\*(Failed|Timeout|Exception|Not Run)/ && ++tests <= 5) {
        name = $0; sub(/^.* Test +#[0-9]+: /, "", name); sub(/ .*$/, "", name)
        lines = told = 0
      }
      next
    }
    name != "" && NF {
      line[++lines] = $0
      if (told < 3 && /^FAILED|^\[  FAILED|: Failure$|[Ee]rror[: ]|^[-+<>] /) { told++; print "  " name ": " substr($0, 1, 300) }
    }' "$1"
}

# run_suite SUITE COMMAND...: runs a test runner, shown and logged, and counts.
run_suite() {
  local suite="$1" log="$logs/test-$1.log" code=0
  shift
  mkdir -p "$logs"
  say "Testing: $suite"
  "$@" </dev/null 2>&1 | tee "$log" || code=$?
  count "$suite" "$log" "$code"
}

# What does not build has failed; the other suites still run.
build_or_count() {
  local preset="$1" code=0
  (build "$@") || code=$?
  if ((code == 0)); then return 0; fi
  failed=$((failed + 1))
  broken+=("$preset: does not build, the whole log: $logs/build-$preset.log")
  return 1
}

suite_dev() { if build_or_count dev; then run_suite dev in_repo ctest --preset dev; fi; }
suite_release() { if build_or_count release; then run_suite release in_repo ctest --preset release; fi; }
suite_asan() { if build_or_count asan; then run_suite asan in_repo ctest --preset asan; fi; }

# Threads are started in these modules, or meet in them; building the others as well would cost minutes and find nothing.
suite_tsan() {
  local targets
  step configure-tsan "Configuring build/tsan" in_repo cmake --preset tsan
  mapfile -t targets < <(in_repo ninja -C build/tsan -t targets all |
    grep -oE '^(sys|engine|artifact|docker|runner|app)_test:' | tr -d : | sort -u)
  if ((${#targets[@]} == 0)); then
    failed=$((failed + 1))
    broken+=("tsan: no test of a threaded module is built")
    return
  fi
  if build_or_count tsan "${targets[@]}"; then run_suite tsan in_repo ctest --preset tsan -E NOT_BUILT; fi
}

# Only the fuzzers and what they need: the readers and the engine's streams.
suite_fuzz() {
  local targets
  step configure-fuzz "Configuring build/fuzz" in_repo cmake --preset fuzz
  mapfile -t targets < <(in_repo ninja -C build/fuzz -t targets all | grep -oE '^fuzz_[a-z_]+:' | tr -d : | sort -u)
  if build_or_count fuzz "${targets[@]}"; then run_suite fuzz fuzz_all "${FUZZ_SECONDS:-15}"; fi
}

# fuzz_all SECONDS: each fuzzer on a copy of its corpus, so that the tree stays as it is.
fuzz_all() {
  local seconds="$1" good=0 bad=0 fuzzer name corpus found="$repo/build/fuzz/findings"
  mkdir -p "$found"
  while IFS= read -r fuzzer; do
    name=$(basename "$fuzzer")
    corpus=$(mktemp -d)
    if [[ -d $repo/tests/fuzz/corpus/$name ]]; then cp -r "$repo/tests/fuzz/corpus/$name/." "$corpus/"; fi
    if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$found/$name-" "$corpus" >"$logs/fuzz-$name.log" 2>&1; then
      good=$((good + 1))
      echo "ok      $name  $(sed -n 's/^stat::number_of_executed_units: */inputs: /p' "$logs/fuzz-$name.log")"
    else
      bad=$((bad + 1))
      echo "FAILED  $name  (the input is in $found)"
      tail -n 30 "$logs/fuzz-$name.log" | sed 's/^/    | /'
    fi
    rm -rf "$corpus"
  done < <(find "$repo/build/fuzz/tests" -type f -executable -name '*fuzz*' ! -name '*.so*' | sort)
  echo "$good passed, $bad failed"
  ((bad == 0))
}

suite_components() { run_suite components "$repo/tests/examples/components_test.sh"; }

suite_examples() {
  local test
  build_or_count release mlpipe || return 0
  for test in "$repo"/tests/examples/*_test.sh; do
    if [[ $test != */components_test.sh ]]; then run_suite "$(basename "$test" _test.sh)" "$test"; fi
  done
}

# The bars of docs/benchmarks.md: worth something only on a machine that does nothing else.
suite_bench() { if build_or_count release; then run_suite bench bench_all; fi; }

bench_all() {
  local good=0 bad=0 binaries="$repo/build/release"
  bench() { if "$@" --check; then good=$((good + 1)); else bad=$((bad + 1)); fi; }
  bench "$binaries/null_runner_bench"
  bench "$repo/tests/bench/startup.py" --mlpipe "$mlpipe"
  bench "$repo/tests/bench/containers.py" --mlpipe "$mlpipe" --bare "$binaries/bare_engine"
  bench "$repo/tests/bench/cache.py" --mlpipe "$mlpipe" --bench "$binaries/cached_run_bench"
  echo "$good passed, $bad failed"
  ((bad == 0))
}

suite_format() {
  ensure_packages clang-format-14
  run_suite format format_all
}

# One check, whatever the number of files.
format_all() {
  local bad=0 files file
  in_repo clang-format-14 --version || return
  mapfile -t files < <(in_repo git ls-files '*.cpp' '*.hpp')
  while IFS= read -r file; do
    bad=1
    echo "FAILED  $file: clang-format-14 -i would change it"
  done < <(in_repo clang-format-14 --dry-run "${files[@]}" 2>&1 | sed -nE 's/^([^:]+):.*clang-format-violations.*/\1/p' | sort -u)
  echo "$((1 - bad)) passed, $bad failed"
  ((bad == 0))
}

suite_tidy() {
  ensure_packages clang-tidy-14
  step configure-dev "Configuring build/dev" in_repo cmake --preset dev
  run_suite tidy tidy_all
}

tidy_all() {
  local good=0 bad=0 file
  while IFS= read -r file; do
    if in_repo clang-tidy-14 --quiet -p build/dev "$file" 2>/dev/null; then good=$((good + 1)); else bad=$((bad + 1)); fi
  done < <(in_repo git ls-files 'src/*.cpp')
  echo "$good passed, $bad failed"
  ((bad == 0))
}

# summarize SECONDS: the last lines of tests/run, and its exit code.
summarize() {
  local line
  echo
  say "All suites took $(($1 / 60)) min $(($1 % 60)) s"
  for line in "${broken[@]}"; do
    if [[ $line == '  '* ]]; then printf '      %s\n' "$line"; else printf 'FAILED  %s\n' "$line"; fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
