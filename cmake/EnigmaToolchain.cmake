# Language level, warnings, sanitizers, compiler cache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# The numeric contract (docs/numerics.md) fixes which multiplications are fused: only those written as
# fused. The compiler may neither contract nor reorder floating-point arithmetic.
add_compile_options(-ffp-contract=off)

if(ENIGMA_SANITIZE)
  # Most of a sanitizer build's time goes into the compiler. The checks of UBSan are optimised longer than they run; where
  # the tests do compute, in engine/, code is optimised in every build.
  if(ENIGMA_SANITIZE MATCHES "undefined")
    set(CMAKE_CXX_FLAGS_RELEASE "-O0")
  else()
    set(CMAKE_CXX_FLAGS_RELEASE "-O1")
  endif()
  add_compile_options(-fsanitize=${ENIGMA_SANITIZE} -fno-omit-frame-pointer -g1)
  add_compile_definitions(ENIGMA_SANITIZED)
  add_link_options(-fsanitize=${ENIGMA_SANITIZE})
endif()

if(ENIGMA_FUZZ)
  # Coverage feedback must reach the code under test, not only the entry points. For all alike, because a precompiled
  # header serves only those that are compiled as it was.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need these two tolerances of ccache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()

find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()
