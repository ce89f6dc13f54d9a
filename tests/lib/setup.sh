# shellcheck shell=bash disable=SC2034  # its variables are for whoever sources it
#
# Set-up shared by examples/run and tests/run: Debian packages, a container engine, the build, the base images.
# Sourced, never run. Every function is safe to call again: what is there already is left alone, in seconds and
# without root or network. Whoever sources it has `set -euo pipefail`.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
logs="$repo/build/logs"
mlpipe="$repo/build/release/mlpipe"

# Under cron and in CI there may be no HOME and a bare PATH; dockerd and mmdebstrap need the sbin folders.
export PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
if [[ -z ${HOME:-} ]]; then
  HOME=$(getent passwd "$EUID" | cut -d: -f6)
  export HOME="${HOME:-/tmp}"
fi

# What one clone has compiled, another one anywhere on this machine need not compile again.
export CCACHE_BASEDIR="$repo" CCACHE_NOHASHDIR=1

build_packages=(g++ cmake ninja-build ccache mold pkg-config git ca-certificates graphviz
  libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev libexpected-dev libssl-dev libsqlite3-dev
  libboost-dev libgtest-dev libgmock-dev)
test_packages=(busybox-static clang-14 libclang-rt-14-dev strace faketime sqlite3 python3 python3-jsonschema python3-yaml tmux procps iproute2 cron)

# ---------------------------------------------------------------------------------------------------- what is said

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# Ends the whole set-up: what went wrong, then what to do about it. Exit code 3, as mlpipe's own for the environment.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 3
}

last_line() { tail -c 500 "$1" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -cd '[:print:]' || true; }

# attempt LOG COMMAND...: runs COMMAND with its output in a log file and shows that it moves: on a terminal the last line
# of the log in place, otherwise one line every 30 seconds. Returns its exit code.
attempt() {
  local log="$logs/$1.log" started=$SECONDS last shown=0 code=0 width
  shift
  mkdir -p "$logs"
  "$@" >"$log" 2>&1 </dev/null &
  local child=$!
  # shellcheck disable=SC2064  # the child of now is meant
  trap "kill $child 2>/dev/null; exit 130" INT TERM
  while kill -0 "$child" 2>/dev/null; do
    if [[ -t 1 ]]; then
      width=$(( $(tput cols 2>/dev/null || echo 100) - 16 ))
      last=$(last_line "$log")
      printf '\r\033[K    %4ds  %s' $((SECONDS - started)) "${last:0:width}"
    elif ((SECONDS - started >= shown + 30)); then
      shown=$((SECONDS - started))
      last=$(last_line "$log")
      note "${shown}s  ${last:0:110}"
    fi
    sleep 0.2
  done
  wait "$child" || code=$?
  trap - INT TERM
  if [[ -t 1 ]]; then printf '\r\033[K'; fi
  return "$code"
}

# step LOG WHAT COMMAND...: as attempt, but a failure ends the set-up with the tail of the log.
step() {
  local log="$1" what="$2" code=0 started=$SECONDS
  shift 2
  say "$what"
  attempt "$log" "$@" || code=$?
  if ((code != 0)); then
    tail -n 25 "$logs/$log.log" | sed 's/^/    | /' >&2
    die "$what: failed with exit code $code after $((SECONDS - started)) s" "the whole log: $logs/$log.log"
  fi
  if ((SECONDS - started >= 2)); then note "done in $((SECONDS - started)) s"; fi
}

# One set-up at a time in this tree; a second one waits for the first.
lock_setup() {
  mkdir -p "$repo/build" || die "cannot write $repo/build" "the tree must belong to the user who builds it"
  exec 9>"$repo/build/.setup.lock"
  if ! flock -n 9; then
    say "Waiting for another set-up in this tree"
    flock -w 3600 9 || die "another set-up has held $repo/build/.setup.lock for an hour"
  fi
}

unlock_setup() { exec 9>&-; }

# ------------------------------------------------------------------------------------------------------- as root

# Makes sure that as_root will work, asking for a password on a terminal if it must. WHAT says what for.
need_root() {
  local what="$1"
  if ((EUID == 0)); then return; fi
  if ! command -v sudo >/dev/null; then
    die "$what needs root, and there is no sudo" "run this as root once, or install sudo"
  fi
  if sudo -n true 2>/dev/null; then return; fi
  if [[ -t 0 || -t 2 ]] && sudo -v; then return; fi
  die "$what needs root, and sudo asks for a password that nobody is there to type" \
    "run this from a terminal once, as root, or with sudo that asks for none"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# ------------------------------------------------------------------------------------------------------- packages

missing_packages() {
  # Without the architecture: a package of several architectures counts once. dpkg-query fails where one is unknown to it.
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } | sed -n 's/^installed //p' | sort -u)
}

apt_install() {
  # One variable before the command would not pass through sudo.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends "$@"
}

ensure_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this set-up knows Debian 12 and Ubuntu 24.04; here is no apt" "install by hand: ${build_packages[*]}"
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then return; fi
  need_root "installing ${#missing[@]} Debian packages"
  step apt "Installing ${#missing[@]} Debian packages: ${missing[*]}" apt_install "${missing[@]}"
}

# ---------------------------------------------------------------------------------------------------- the engine

engine_answers() { command -v docker >/dev/null && timeout 20 docker version -f '{{.Server.Version}}' >/dev/null 2>&1; }

# The socket is there, but not for us.
engine_forbids() { [[ $(engine_complaint) == *[Pp]ermission\ denied* ]]; }
engine_complaint() { timeout 20 docker version 2>&1 >/dev/null | tail -n 1 || true; }

wait_for_engine() {
  local deadline=$((SECONDS + $1)) daemon="${2:-}"
  until engine_answers || { ((EUID != 0)) && engine_forbids; }; do
    if ((SECONDS >= deadline)); then return 1; fi
    if [[ -n $daemon ]] && ! as_root kill -0 "$daemon" 2>/dev/null; then return 1; fi
    sleep 0.3
  done
}

# Starts dockerd with no init system to do it. It outlives this script and holds none of its files open.
start_dockerd() {
  local log="$logs/dockerd.log" pid_file="$logs/dockerd.started"
  mkdir -p "$logs"
  if ! mountpoint -q /sys/fs/cgroup; then
    ensure_packages cgroupfs-mount
    as_root cgroupfs-mount
  fi
  as_root rm -f "$pid_file"
  # shellcheck disable=SC2016  # the inner shell expands
  as_root setsid --fork sh -c 'echo $$ >"$2"; exec dockerd >"$1" 2>&1' sh "$log" "$pid_file" \
    >/dev/null 2>&1 </dev/null 9>&-
  local deadline=$((SECONDS + 10))
  until [[ -s $pid_file ]] || ((SECONDS >= deadline)); do sleep 0.1; done
  if ! wait_for_engine 90 "$(cat "$pid_file" 2>/dev/null)"; then
    as_root tail -n 15 "$log" 2>/dev/null | sed 's/^/    | /' >&2
    die "dockerd did not come up" "its log: $log" \
      "in a container or sandbox it needs privileges (docker run --privileged), or mount the host's socket"
  fi
}

# Lets this user use the socket: by a group it is in already but this session is not, else by an entry on the socket.
open_socket() {
  local user socket=/var/run/docker.sock
  user=$(id -un)
  if [[ ${DOCKER_HOST:-} == unix://* ]]; then socket=${DOCKER_HOST#unix://}; fi
  if [[ -z ${MLPIPE_IN_DOCKER_GROUP:-} ]] && command -v sg >/dev/null &&
    getent group docker | cut -d: -f4 | tr ',' '\n' | grep -qx "$user"; then
    say "You are in group docker, but this session began before that: going on with 'sg docker'"
    unlock_setup
    # shellcheck disable=SC2154  # setup_arguments: set by whoever sources this
    exec env MLPIPE_IN_DOCKER_GROUP=1 sg docker -c "$(printf '%q ' bash "$0" "${setup_arguments[@]}")"
  fi
  need_root "access to $socket"
  if ! command -v setfacl >/dev/null; then ensure_packages acl; fi
  as_root setfacl -m "u:$user:rw" "$socket" || die "cannot give $user access to $socket" \
    "add yourself to group docker (sudo usermod -aG docker $user) and log in again"
  note "gave $user access to $socket until the engine restarts (who may use it can become root on this machine);"
  note "for good: sudo usermod -aG docker $user"
}

# A container engine that answers, installed and started where there is none.
ensure_engine() {
  local packages=(docker.io)
  if engine_answers; then return; fi
  if command -v docker >/dev/null && ((EUID != 0)) && engine_forbids; then
    open_socket
    engine_answers || die "the container engine still refuses $(id -un)" "$(engine_complaint)"
    return
  fi
  if [[ -n ${DOCKER_HOST:-} ]]; then
    die "no container engine answers at DOCKER_HOST=$DOCKER_HOST" \
      "$(engine_complaint)" "start it, or unset DOCKER_HOST to use the one on this machine"
  fi
  say "No container engine answers: setting up Docker"
  need_root "setting up a container engine"
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    # Where Debian has parted the client from the daemon, both are needed.
    if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then packages+=(docker-cli); fi
    ensure_packages "${packages[@]}"
  fi
  if [[ -d /run/systemd/system ]]; then
    as_root systemctl start docker || die "systemd could not start docker" "see: journalctl -u docker"
    wait_for_engine 60 || die "docker started but does not answer" "see: journalctl -u docker"
  else
    # The package's own script may have started it already.
    wait_for_engine 5 || start_dockerd
  fi
  if ((EUID != 0)) && engine_forbids; then open_socket; fi
  engine_answers || die "the container engine was started but does not answer" "$(engine_complaint)"
  note "docker $(docker version -f '{{.Server.Version}}') answers"
}

# -------------------------------------------------------------------------------------------------------- the build

# build PRESET [TARGET...]: configures where that was never done, then builds; nothing to do takes a second.
build() {
  local preset="$1" folder="$repo/build/$1" home target_words=()
  shift
  if [[ -f $folder/CMakeCache.txt ]]; then
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$folder/CMakeCache.txt")
    if [[ $home != "$repo" ]]; then
      note "build/$preset was made for $home: starting afresh"
      rm -rf "$folder"
    fi
  fi
  if [[ ! -f $folder/build.ninja ]]; then
    step "configure-$preset" "Configuring build/$preset" in_repo cmake --preset "$preset"
  fi
  if (($# > 0)); then target_words=(--target "$@"); fi
  step "build-$preset" "Building build/$preset${*:+ ($*)}" \
    in_repo cmake --build --preset "$preset" --parallel "$(nproc)" "${target_words[@]}"
}

# CMake finds its presets in the current folder.
in_repo() { (cd "$repo" && "$@"); }

# ------------------------------------------------------------------------------------------------------- the images

base_image=mlpipe/base:bookworm
python_image=mlpipe/python-ml:bookworm

# What an image is made of, as one hash; it is kept in a label, and an image with another hash is made again.
recipe_of_base() { { echo "debian:bookworm-slim"; declare -f bootstrap_debian; } | sha256sum | cut -c1-16; }
recipe_of_python() {
  {
    recipe_of_base
    cd "$repo/components/images/python-ml" && find . -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}
recipe_in() { docker image inspect -f '{{index .Config.Labels "mlpipe.recipe"}}' "$1" 2>/dev/null || true; }

# Fails quickly where no registry can be: an engine behind a proxy or with a mirror may reach one that we cannot see.
registry_plausible() {
  timeout 5 getent hosts registry-1.docker.io >/dev/null 2>&1 ||
    [[ -n $(timeout 20 docker info -f '{{.HTTPProxy}}{{.HTTPSProxy}}{{range .RegistryConfig.Mirrors}}{{.}}{{end}}' 2>/dev/null) ]]
}

label_pulled_base() {
  printf 'FROM debian:bookworm-slim\nLABEL mlpipe.recipe=%s\n' "$1" | DOCKER_BUILDKIT=0 docker build -t "$base_image" -
}

# A small Debian as a tar file: no documentation but the licences, no translations.
bootstrap_debian() {
  local run=(mmdebstrap --mode=unshare)
  if ((EUID == 0)) || sudo -n true 2>/dev/null; then run=(as_root mmdebstrap); fi
  "${run[@]}" --variant=minbase --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$1"
}

import_debian() {
  local recipe="$1" tar="$repo/build/base-image.tar" code=0
  # Through a file: an archive cut short must not become an image.
  bootstrap_debian "$tar" &&
    docker import -c "LABEL mlpipe.recipe=$recipe" -c 'CMD ["bash"]' "$tar" "$base_image" || code=$?
  rm -f "$tar" 2>/dev/null || as_root rm -f "$tar"
  return "$code"
}

ensure_base_image() {
  local recipe
  recipe=$(recipe_of_base)
  if [[ $(recipe_in "$base_image") == "$recipe" ]]; then return; fi
  say "Base image $base_image: pulling debian:bookworm-slim"
  if registry_plausible && attempt pull timeout 180 docker pull -q debian:bookworm-slim; then
    step base-image "Base image $base_image: tagging" label_pulled_base "$recipe"
    return
  fi
  note "NO REGISTRY answers here: making the image from Debian packages instead (mmdebstrap)"
  ensure_packages mmdebstrap debian-archive-keyring
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then ensure_packages uidmap; fi
  step base-image "Base image $base_image: bootstrapping Debian 12" import_debian "$recipe"
}

# The network of the host: in many places name lookup works there and not on the bridge.
build_python_image() {
  local words=() name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [[ -n ${!name:-} ]]; then words+=(--build-arg "$name"); fi
  done
  DOCKER_BUILDKIT=0 docker build --network host --label "mlpipe.recipe=$1" "${words[@]}" -t "$python_image" \
    "$repo/components/images/python-ml"
}

ensure_python_image() {
  local recipe
  ensure_base_image
  recipe=$(recipe_of_python)
  if [[ $(recipe_in "$python_image") == "$recipe" ]]; then return; fi
  step python-image "Image $python_image: pandas, scikit-learn and Optuna (some minutes, once)" build_python_image "$recipe"
}
