# shellcheck shell=bash
# Shared by the scripts: installs what is missing, and keeps build/ up to date. It says everything on stderr, and nothing
# when there is nothing to do.

root=$(cd -P "${BASH_SOURCE[0]%/*}/.." && pwd)
build=$root/build
jobs=$(nproc 2>/dev/null || echo 2)
missing=() reasons=()
set -o pipefail

say() { printf 'vmscan: %s\n' "$*" >&2; }
die() { say "$@" && exit 2; }
exit_missing=2                                      # scripts/check tells this from a failed step
die_missing() { say "$@" && exit "$exit_missing"; }  # what is needed is missing and could not be installed

# need PACKAGE WHAT WHY: notes that PACKAGE (its name in Debian and Ubuntu) is missing when WHAT is: a command, or a file
# below the include directories (known by its "/", .h or .hpp), or an absolute path in which * is allowed.
need() {
  case $2 in
    /*) compgen -G "$2" >/dev/null && return ;;
    */* | *.h | *.hpp) [[ -e /usr/include/$2 || -e /usr/local/include/$2 ]] && return ;;
    *) type -P "$2" >/dev/null && return ;;
  esac
  missing+=("$1") reasons+=("$1 ($3)")
}

need_for_build() {
  need g++ g++ "compiler"
  need cmake cmake "configures the build"
  need ninja-build ninja "runs the build"
  need libfmt-dev fmt/format-inl.h "formatting library"
  need nlohmann-json3-dev nlohmann/json.hpp "JSON library"
  need libcli11-dev CLI/CLI.hpp "command-line library"
  need libspdlog-dev spdlog/spdlog.h "logging library"
  need libzstd-dev zstd.h "zstd files"
  need zlib1g-dev zlib.h "gzip files"
  need libpugixml-dev pugixml.hpp "XML files"
  need libre2-dev re2/re2.h "regular expressions"
}

need_for_tests() {
  need catch2 '/usr/include/catch2/catch*.hpp' "unit tests"
  need python3 /usr/bin/python3 "command-line and system tests"
  need python3-jsonschema /usr/lib/python3/dist-packages/jsonschema "validates JSON in tests"
}

# Runs a command as root; fails when that is not possible without asking somebody who is not there.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}
may_be_root() { ((EUID == 0)) || { type -P sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" </dev/null; }
apt_update() {  # another apt-get update may hold the lists: that one is as good, so wait for it
  local try
  for try in 1 2 3; do
    apt update && return
    sleep $((try * 5))
  done
  return 1
}

apt_install() {  # with the lists that are there; when they are none or old, with new ones
  local install=(apt install --no-install-recommends)
  compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null && "${install[@]}" "$@" && return
  apt_update && "${install[@]}" "$@"
}

# Installs what need() noted. Dies with the reason and the line to type when it cannot.
install_missing() {
  ((${#missing[@]})) || return 0
  local line="apt-get install --no-install-recommends ${missing[*]}" log=$build/install.log list
  printf -v list ', %s' "${reasons[@]}"
  type -P apt-get >/dev/null || die_missing "missing: ${list:2}. No apt-get here: install them by hand (Debian's names)"
  may_be_root || die_missing "missing: ${list:2}. Only root may install them, and sudo is not available. As root: $line"
  say "installing ${list:2}"
  if ! apt_install "${missing[@]}" >"$log" 2>&1 9>&-; then
    tail -n 20 "$log" >&2
    die_missing "could not install them. As root: $line"
  fi
  missing=() reasons=()
}

# configure DIRECTORY OPTION…: runs CMake; shows its output only when it fails.
configure() {
  local directory=$1 log=$1/configure.log
  shift
  mkdir -p "$directory"
  [[ -e $directory/CMakeCache.txt ]] || set -- -G Ninja "$@"  # a folder keeps the generator it was made with
  if ! cmake -S "$root" -B "$directory" "$@" </dev/null >"$log" 2>&1 9>&-; then
    grep -v '^-- ' "$log" >&2
    die "CMake failed; all of its output is in $log"
  fi
}

# compile DIRECTORY TARGET…: builds. Says so only when there is something to build, shows compilers' output only when
# one fails.
compile() {
  local directory=$1 log=$1/build.log
  shift
  if ! run_ninja "$directory" "$@" </dev/null 2>&1 9>&- | show_progress "$directory" >"$log"; then
    sed -n '/^FAILED/,$p; /^ninja: error/p' "$log" | grep -v '^\[[0-9]*/[0-9]*\] ' | head -n 300 >&2
    die "the build failed; all of its output is in $log"
  fi
}

run_ninja() {
  local directory=$1 targets=("${@:2}")
  if [[ -e $directory/build.ninja ]]; then
    ninja -C "$directory" -j "$jobs" "${targets[@]}"
  else
    cmake --build "$directory" -j "$jobs" --target "${targets[@]:-all}"
  fi
}

# Copies stdin to stdout; the steps go to stderr too: over one line of a terminal, else just the first.
show_progress() {
  local line shown=
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line =~ ^\[[^]]*\]\ (Building|Linking) ]] || continue
    if [[ -t 2 ]]; then
      printf '\r\e[K%.*s' "$((${COLUMNS:-80} - 1))" "${line/"$root/"/}" >&2
    elif [[ -z $shown ]]; then
      say "building in ${1#"$PWD/"}"
    fi
    shown=1
  done
  [[ -z $shown || ! -t 2 ]] || printf '\r\e[K' >&2
}

lock() {  # lock NAME FD WHAT
  mkdir -p "$build" || die "cannot make $build"
  eval "exec $2>>\"\$build/.$1.lock\"" || die "cannot write to $build"
  flock -n "$2" || { say "waiting for another $3 in this folder to finish" && flock "$2"; }
}

# Whether build/ is configured as Release, from this folder, and with tests when asked to ($1 is ON).
configured() {
  [[ -e $build/CMakeCache.txt && ( -e $build/build.ninja || -e $build/Makefile ) ]] || return 1
  local cache
  cache=$(<"$build/CMakeCache.txt")
  if [[ $cache != *"CMAKE_HOME_DIRECTORY:INTERNAL=$root"$'\n'* ]]; then
    rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles" "$build/build.ninja" "$build/Makefile"
    return 1
  fi
  [[ $cache == *$'\nCMAKE_BUILD_TYPE:STRING=Release\n'* ]] || return 1
  [[ $1 != ON || $cache == *$'\nVMSCAN_TESTS:BOOL=ON\n'* ]]
}

# bring_up_to_date TESTS TARGET…: installs, configures and builds into build/ whatever is missing or stale. TESTS: OFF, ON,
# or AGAIN to configure in any case. Two at once take turns.
bring_up_to_date() {
  local tests=$1
  shift
  lock build 9 build
  need_for_build
  [[ $tests == OFF ]] || need_for_tests
  install_missing
  if [[ $tests == AGAIN ]] || ! configured "$tests"; then
    local options=(-DCMAKE_BUILD_TYPE=Release)
    if [[ $tests != OFF ]]; then
      options+=(-DVMSCAN_TESTS=ON)
    elif [[ ! -e $build/build.ninja && ! -e $build/Makefile ]]; then
      options+=(-DVMSCAN_TESTS=OFF)
    fi
    [[ -z ${VMSCAN_WERROR:-} ]] || options+=("-DVMSCAN_WERROR=$VMSCAN_WERROR")
    say "configuring a Release build in ${build#"$PWD/"}"
    configure "$build" "${options[@]}"
  fi
  compile "$build" "$@"
  exec 9>&-
}
