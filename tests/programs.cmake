# One executable for each file in programs/, without optimisation: what a target maps and touches must be what its
# source says. NAME_32 is built with -m32 where the compiler can, NAME_static without shared libraries, NAME_musl and
# NAME_musl_static against musl where its compiler is (musl-tools).
include(CheckCSourceCompiles)
include(CheckCXXSourceCompiles)
set(VMSCAN_PROGRAMS ${CMAKE_CURRENT_BINARY_DIR}/programs)

set(CMAKE_REQUIRED_FLAGS -m32)
set(CMAKE_REQUIRED_LINK_OPTIONS -m32)
check_c_source_compiles("#include <stdlib.h>\nint main(void) { return abs(0); }" VMSCAN_HAVE_M32_c)
check_cxx_source_compiles("#include <cstdlib>\nint main() { return std::abs(0); }" VMSCAN_HAVE_M32_cpp)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

find_program(VMSCAN_MUSL_GCC musl-gcc)
set(_musl_programs)

file(GLOB _programs CONFIGURE_DEPENDS programs/*.c programs/*.cpp)
foreach(_source IN LISTS _programs)
  get_filename_component(_name ${_source} NAME_WE)
  string(REGEX REPLACE ".*\\." "" _language ${_source})
  if(_name MATCHES "_32$" AND NOT VMSCAN_HAVE_M32_${_language})
    message(STATUS "tests/programs/${_name} left out: no 32-bit compiler (gcc-multilib, g++-multilib)")
    continue()
  endif()
  if(_name MATCHES "_musl(_static)?$")
    if(NOT VMSCAN_MUSL_GCC)
      message(STATUS "tests/programs/${_name} left out: no musl-gcc (musl-tools)")
      continue()
    endif()
    set(_static)
    if(_name MATCHES "_static$")
      set(_static -static)
    endif()
    add_custom_command(OUTPUT ${VMSCAN_PROGRAMS}/${_name}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${VMSCAN_PROGRAMS}
      COMMAND ${VMSCAN_MUSL_GCC} -O0 -g -Wall -Wextra ${_static} ${_source} -o ${VMSCAN_PROGRAMS}/${_name} -MMD
              -MF ${CMAKE_CURRENT_BINARY_DIR}/${_name}.d
      DEPENDS ${_source} DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${_name}.d VERBATIM)
    list(APPEND _musl_programs ${VMSCAN_PROGRAMS}/${_name})
    continue()
  endif()
  add_executable(program_${_name} ${_source})
  set_target_properties(program_${_name} PROPERTIES OUTPUT_NAME ${_name} RUNTIME_OUTPUT_DIRECTORY ${VMSCAN_PROGRAMS}
                        POSITION_INDEPENDENT_CODE ON C_EXTENSIONS ON CXX_EXTENSIONS ON)
  target_include_directories(program_${_name} PRIVATE support)
  target_compile_options(program_${_name} PRIVATE -O0 -g -UNDEBUG -Wall -Wextra -Wshadow -Wconversion)
  target_link_libraries(program_${_name} PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)
  if(NOT _name MATCHES "_static$")
    target_link_options(program_${_name} PRIVATE -pie -Wl,-z,relro,-z,now)  # so that there is a RELRO part to see
  endif()
  if(_name MATCHES "_32$")
    target_compile_options(program_${_name} PRIVATE -m32)
    target_link_options(program_${_name} PRIVATE -m32)
  elseif(_name MATCHES "_static$")
    target_link_options(program_${_name} PRIVATE -static)
  endif()
endforeach()
if(_musl_programs)
  add_custom_target(musl_programs ALL DEPENDS ${_musl_programs})
endif()
foreach(_language c cpp)
  if(NOT VMSCAN_HAVE_M32_${_language})
    unset(VMSCAN_HAVE_M32_${_language} CACHE)  # look again when configured again: it may be installed by then
  endif()
endforeach()

# What programs of the machine are started with, to hear what their malloc counts.
add_library(tell_malloc MODULE programs/preload/tell_malloc.c)
set_target_properties(tell_malloc PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${VMSCAN_PROGRAMS})
