# enigma_library(NAME SOURCES a.cc ... DEPS targets...): a static library enigma_NAME that includes from the
# repository root and is held to the project's warnings.
# enigma_test_library(NAME SOURCES ... DEPS ...): enigma_NAME, what several tests share, compiled as tests are.
# enigma_test(NAME LABELS unit SOURCES ... DEPS ...): a GoogleTest binary and its ctest entries. ONE_THREAD says that
# what it tests starts no thread, so that ThreadSanitizer builds leave it out.
# Most of the time a file with PCH takes is its headers', which a precompiled header shortens only in part (templates are
# instantiated anew), so such files, and those of targets that say BATCHED, are compiled several at once: eight take about
# three times as long as one, and still less than 20 s. tools/local_names finds file-local names that clash; APART names files that cannot go with
# others (one with `using enum`, say).
set(ENIGMA_BATCH 8 CACHE STRING "Files compiled at once; 1 finds what a file should have included")
set(ENIGMA_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror)

# enigma_precompiled(NAME OPTIONS ... LIBRARIES ... HEADERS ...): enigma_pch_NAME, whose precompiled header targets reuse.
function(enigma_precompiled name)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LIBRARIES;HEADERS" ${ARGN})
  set(carrier ${CMAKE_BINARY_DIR}/pch/${name}.cc)
  file(WRITE ${carrier}.in "// Carries precompiled headers; has no code of its own.\n")
  configure_file(${carrier}.in ${carrier} COPYONLY)
  add_library(enigma_pch_${name} OBJECT ${carrier})
  target_compile_options(enigma_pch_${name} PRIVATE ${ENIGMA_WARNINGS} ${ARG_OPTIONS})
  target_link_libraries(enigma_pch_${name} PUBLIC ${ARG_LIBRARIES})
  target_precompile_headers(enigma_pch_${name} PRIVATE ${ARG_HEADERS} <absl/status/statusor.h> <string> <vector> <memory>
    <map> <mutex> <thread> <functional>)
endfunction()

# gRPC's headers cost seconds per file, so one precompiled header serves every target that names PCH grpc; GoogleTest's
# and both of them serve tests. What some of the tests' libraries ask for (-pthread) all of them get: a precompiled header
# serves only those that are compiled as it was.
set(ENIGMA_TEST_OPTIONS -pthread)
if(NOT ENIGMA_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
  list(APPEND ENIGMA_TEST_OPTIONS -O0)  # what is tested is optimised; for its tests the compiler's time counts
endif()
set(grpc_headers <grpcpp/grpcpp.h> <grpcpp/generic/generic_stub.h> <grpcpp/generic/async_generic_service.h>
  <google/protobuf/message.h>)
set(grpc_libraries gRPC::grpc++ protobuf::libprotobuf absl::status absl::statusor)
set(gtest_headers <gmock/gmock.h> <gtest/gtest.h>)
enigma_precompiled(grpc LIBRARIES ${grpc_libraries} HEADERS ${grpc_headers})
if(ENIGMA_TESTS)
  enigma_precompiled(gtest OPTIONS ${ENIGMA_TEST_OPTIONS} LIBRARIES GTest::gmock absl::status absl::statusor
    HEADERS ${gtest_headers})
  enigma_precompiled(grpc_gtest OPTIONS ${ENIGMA_TEST_OPTIONS} LIBRARIES GTest::gmock ${grpc_libraries}
    HEADERS ${grpc_headers} ${gtest_headers})
endif()

function(enigma_settings target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE ${ENIGMA_WARNINGS})
endfunction()

function(enigma_batches target size apart)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${size})
  set_source_files_properties(${apart} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # it takes the files of a batch for headers
  endif()
endfunction()

function(enigma_library name)
  cmake_parse_arguments(ARG "BATCHED" "PCH" "SOURCES;APART;DEPS" ${ARGN})
  add_library(enigma_${name} STATIC ${ARG_SOURCES})
  enigma_settings(enigma_${name})
  if(ARG_PCH OR ARG_BATCHED)
    enigma_batches(enigma_${name} ${ENIGMA_BATCH} "${ARG_APART}")
  endif()
  target_link_libraries(enigma_${name} PUBLIC ${ARG_DEPS})
  if("${ARG_PCH}" STREQUAL "grpc")
    target_link_libraries(enigma_${name} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
    target_precompile_headers(enigma_${name} REUSE_FROM enigma_pch_grpc)
  endif()
endfunction()

if(ENIGMA_SANITIZE STREQUAL "thread")
  # Tells ThreadSanitizer what Debian's uninstrumented libraries order; found by the dynamic linker in the test program.
  add_library(enigma_tsan_order OBJECT ${CMAKE_SOURCE_DIR}/tests/support/tsan_abseil.cc
    ${CMAKE_SOURCE_DIR}/tests/support/tsan_grpc.cc)
  target_link_libraries(enigma_tsan_order PUBLIC absl::synchronization absl::status ${CMAKE_DL_LIBS})
endif()

# What the sanitizer builds compile: `unit_tests` every test labelled unit, `fuzz_replays` every corpus replay.
add_custom_target(unit_tests)
add_custom_target(fuzz_replays)

function(enigma_as_test target pch)
  target_compile_options(${target} PRIVATE ${ENIGMA_TEST_OPTIONS})
  if("${pch}" STREQUAL "grpc")
    target_link_libraries(${target} PRIVATE gRPC::grpc++ protobuf::libprotobuf)
    target_precompile_headers(${target} REUSE_FROM enigma_pch_grpc_gtest)
  else()
    target_precompile_headers(${target} REUSE_FROM enigma_pch_gtest)
  endif()
endfunction()

function(enigma_test_library name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;DEPS" ${ARGN})
  add_library(enigma_${name} STATIC ${ARG_SOURCES})
  enigma_settings(enigma_${name})
  target_link_libraries(enigma_${name} PUBLIC ${ARG_DEPS} GTest::gmock)
  enigma_as_test(enigma_${name} "${ARG_PCH}")
endfunction()

function(enigma_test name)
  cmake_parse_arguments(ARG "SERIAL;ONE_THREAD;BATCHED" "PCH;TIMEOUT" "LABELS;SOURCES;APART;DEPS" ${ARGN})
  if(ARG_ONE_THREAD AND ENIGMA_SANITIZE STREQUAL "thread")
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  enigma_settings(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} enigma_test_support GTest::gmock GTest::gtest_main)
  if(ARG_PCH OR ARG_BATCHED)
    enigma_batches(${name} ${ENIGMA_BATCH} "${ARG_APART}")
  endif()
  # CMake compiles executables with -fPIE, the precompiled headers are -fPIC, and GCC insists on one of them.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  enigma_as_test(${name} "${ARG_PCH}")
  if(TARGET enigma_tsan_order)
    target_link_libraries(${name} PRIVATE enigma_tsan_order)
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
  endif()
  # One ctest entry per binary: thousands of small cases would otherwise each start a process.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  if("unit" IN_LIST ARG_LABELS)
    add_dependencies(unit_tests ${name})
  endif()
  if(ARG_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
