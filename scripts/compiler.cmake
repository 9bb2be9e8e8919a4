# What every target of ours is compiled with: vmscan_target(NAME).
include(CheckCXXSourceCompiles)

set(_expected "#include <expected>\nint main() { return std::expected<int, int>(0).value(); }")
check_cxx_source_compiles("${_expected}" VMSCAN_HAVE_EXPECTED)
if(NOT VMSCAN_HAVE_EXPECTED AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ offers std::expected from __cpp_concepts 202002 on; Clang 16 to 18 can compile it and say 201907.
  set(VMSCAN_CLANG_CONCEPTS -U__cpp_concepts -D__cpp_concepts=202002L -Wno-builtin-macro-redefined)
  set(CMAKE_REQUIRED_FLAGS "-U__cpp_concepts -D__cpp_concepts=202002L -Wno-builtin-macro-redefined")
  check_cxx_source_compiles("${_expected}" VMSCAN_HAVE_EXPECTED_WITH_CONCEPTS)
  unset(CMAKE_REQUIRED_FLAGS)
endif()
if(NOT VMSCAN_HAVE_EXPECTED AND NOT VMSCAN_HAVE_EXPECTED_WITH_CONCEPTS)
  message(FATAL_ERROR "vmscan needs a C++23 compiler and library with std::expected: GCC 12 or Clang 16, or newer")
endif()

set(VMSCAN_SANITIZE_FLAGS "")
if(VMSCAN_SANITIZE)
  list(APPEND VMSCAN_SANITIZE_FLAGS -fsanitize=${VMSCAN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
endif()
if(VMSCAN_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "VMSCAN_FUZZ needs Clang: -DCMAKE_CXX_COMPILER=clang++-16")
  endif()
  list(APPEND VMSCAN_SANITIZE_FLAGS -fsanitize=fuzzer-no-link)
endif()

function(vmscan_target name)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wconversion $<$<BOOL:${VMSCAN_WERROR}>:-Werror>
                                         ${VMSCAN_CLANG_CONCEPTS} ${VMSCAN_SANITIZE_FLAGS})
  target_link_options(${name} PRIVATE ${VMSCAN_SANITIZE_FLAGS})
  set_target_properties(${name} PROPERTIES CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
endfunction()

# vmscan_precompile(NAME [OTHER]): what nearly every source includes is parsed once for the target, or taken from OTHER,
# which is compiled with the same flags. It saves a third of the build; that every source includes what it needs is seen
# where CMAKE_DISABLE_PRECOMPILE_HEADERS is set (scripts/check mingw).
function(vmscan_precompile name)
  if(ARGC GREATER 1)
    target_precompile_headers(${name} REUSE_FROM ${ARGV1})
  else()
    target_precompile_headers(${name} PRIVATE <algorithm> <array> <cstdint> <cstring> <expected> <functional> <map>
                              <optional> <span> <string> <string_view> <utility> <vector> <fmt/format.h>)
  endif()
  if(VMSCAN_CCACHE_PROGRAM AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${name} PRIVATE -fpch-preprocess)  # ccache needs it
  endif()
endfunction()
