# Installs the build into an empty prefix, builds the project beside this file against it, and runs both programs.
unset(ENV{DESTDIR})
set(_work ${BUILD}/tests/package)
set(_prefix ${_work}/prefix)
file(REMOVE_RECURSE ${_work})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT RESULT_VARIABLE _result)
  if(NOT _result EQUAL 0)
    message(FATAL_ERROR "failed (${_result})")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${_prefix})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${_work}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${CONFIG}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_PREFIX_PATH=${_prefix} -DVERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${_work}/build --config ${CONFIG})
run(${_work}/build/consumer)
run(${_prefix}/bin/vmscan --version)
