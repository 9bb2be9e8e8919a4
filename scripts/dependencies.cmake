# The libraries that vmscan is made with: headers only, none is needed where it runs. Target: vmscan_headers.
find_package(Threads REQUIRED)
add_library(vmscan_headers INTERFACE)

function(vmscan_need_header variable header package)
  if(CMAKE_CROSSCOMPILING)
    find_path(${variable} ${header} PATHS /usr/include NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  else()
    find_path(${variable} ${header})
  endif()
  if(NOT ${variable})
    message(FATAL_ERROR "<${header}> not found: install ${package} (its name in Debian and Ubuntu)")
  endif()
  set(_directory ${${variable}})
  if(CMAKE_CROSSCOMPILING)
    # The system's whole include directory would bring its C library along, so link just this one library's headers.
    get_filename_component(_name ${header} DIRECTORY)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/headers)
    file(CREATE_LINK ${_directory}/${_name} ${PROJECT_BINARY_DIR}/headers/${_name} SYMBOLIC)
    set(_directory ${PROJECT_BINARY_DIR}/headers)
  endif()
  target_include_directories(vmscan_headers SYSTEM INTERFACE ${_directory})
endfunction()

vmscan_need_header(VMSCAN_FMT_INCLUDE fmt/format-inl.h libfmt-dev)
vmscan_need_header(VMSCAN_JSON_INCLUDE nlohmann/json.hpp nlohmann-json3-dev)
vmscan_need_header(VMSCAN_CLI11_INCLUDE CLI/CLI.hpp libcli11-dev)
vmscan_need_header(VMSCAN_SPDLOG_INCLUDE spdlog/spdlog.h libspdlog-dev)

# {fmt}: header-only use makes every source five times as slow to compile, and Debian has no static libfmt; so
# libvmscan/fmt.cpp compiles the body of version 9 once. Other versions are used header-only.
file(STRINGS ${VMSCAN_FMT_INCLUDE}/fmt/core.h _fmt_version REGEX "#define FMT_VERSION [0-9]+")
if(NOT _fmt_version MATCHES "FMT_VERSION 9[0-9][0-9][0-9][0-9]$")
  target_compile_definitions(vmscan_headers INTERFACE FMT_HEADER_ONLY)
endif()
target_compile_definitions(vmscan_headers INTERFACE SPDLOG_FMT_EXTERNAL)
