# unit/*.cpp as one executable, each file a test of its own for CTest. Written for Catch2 2 (<catch2/catch.hpp>, Debian
# 12); where only Catch2 3 is installed (Ubuntu 24.04), a header of that name includes its.
file(GLOB _tests CONFIGURE_DEPENDS unit/*.cpp)
file(GLOB _support CONFIGURE_DEPENDS support/*.cpp)
list(FILTER _support EXCLUDE REGEX "/catch_main\\.cpp$")
if(NOT _tests)
  return()
endif()

add_executable(vmscan_unit ${_tests} ${_support})
vmscan_target(vmscan_unit)
target_include_directories(vmscan_unit PRIVATE support)
target_link_libraries(vmscan_unit PRIVATE vmscan_formats vmscan_headers)
target_compile_options(vmscan_unit PRIVATE -UNDEBUG -O0)  # expanded assertions gain nothing from -O2 but compile time

find_path(VMSCAN_CATCH_INCLUDE catch2/catch.hpp)
if(VMSCAN_CATCH_INCLUDE)
  set(_no_tests_fail --warn NoTests)
  target_sources(vmscan_unit PRIVATE support/catch_main.cpp)
  target_include_directories(vmscan_unit SYSTEM PRIVATE ${VMSCAN_CATCH_INCLUDE})
else()
  set(_no_tests_fail "")  # it does so by itself
  find_package(Catch2 3 QUIET)
  if(NOT Catch2_FOUND)
    message(FATAL_ERROR "Catch2 not found: install catch2 (its name in Debian and Ubuntu), or set VMSCAN_TESTS=OFF")
  endif()
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/catch2-3/catch2/catch.hpp [=[
#pragma once
#include <catch2/catch_all.hpp>
using Catch::Approx;
namespace Catch {
using namespace Matchers;
inline auto Contains(const std::string& text) { return Matchers::ContainsSubstring(text); }
}
]=])
  target_include_directories(vmscan_unit SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/catch2-3)
  target_link_libraries(vmscan_unit PRIVATE Catch2::Catch2WithMain)
endif()

vmscan_precompile(vmscan_unit)
target_precompile_headers(vmscan_unit PRIVATE <catch2/catch.hpp>)
set_source_files_properties(support/catch_main.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)

set(_seconds 300)
if(VMSCAN_SANITIZE)  # there what looks at terabytes takes a hundred times as long
  set(_seconds 1200)
endif()
foreach(_source IN LISTS _tests)
  file(STRINGS ${_source} _cases REGEX "TEST_CASE|SCENARIO")
  if(NOT _cases)  # what the tests share
    continue()
  endif()
  get_filename_component(_file ${_source} NAME_WE)
  string(REGEX REPLACE "^test_|_test$" "" _name ${_file})
  add_test(NAME unit.${_name} COMMAND vmscan_unit --filenames-as-tags ${_no_tests_fail} "[#${_file}]")
  set_tests_properties(unit.${_name} PROPERTIES TIMEOUT ${_seconds} LABELS unit)
endforeach()
