# tollgate_room(NAME [KNOWS room...] [USES library...])
#
# Builds src/NAME/**.cpp as the library tollgate_NAME. By their names, files beside the code become
#   *_test.cpp   one GoogleTest program, NAME_test, each case registered with CTest
#   *_bench.cpp  one Google Benchmark program, NAME_bench (not run by the tests)
#   *_fuzz.cpp   one program each, NAME_<file>: a libFuzzer target in the fuzz preset, else a CTest case that
#                replays tests/corpus/<file without _fuzz>/

# gcc clears and copies structures of some hundred bytes by `rep stos` and `rep movs`, whose start alone takes tens
# of cycles; a request meets half a dozen of them, and is 1 % cheaper without.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(no_string_instructions -mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
    -mmemcpy-strategy=vector_loop:128:noalign,libcall:-1:noalign)
endif()

add_library(tollgate_options INTERFACE)
target_include_directories(tollgate_options INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/src)
target_compile_options(tollgate_options INTERFACE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers -fno-omit-frame-pointer -ffunction-sections -fdata-sections
  -fstack-protector-strong ${no_string_instructions}
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # gcc 12 sees overlaps inside std::string that are not there (PR 105651)
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)  # std::stable_sort of libstdc++ 12 calls such a function
target_compile_definitions(tollgate_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY FMT_HEADER_ONLY SPDLOG_HEADER_ONLY SPDLOG_FMT_EXTERNAL)
target_link_options(tollgate_options INTERFACE -Wl,--gc-sections)
target_link_libraries(tollgate_options INTERFACE Threads::Threads)

function(tollgate_room name)
  cmake_parse_arguments(ROOM "" "" "KNOWS;USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/${name}/*.cpp)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cpp$")

  set(library tollgate_${name})
  list(TRANSFORM ROOM_KNOWS PREPEND tollgate_)
  if(sources)
    add_library(${library} STATIC ${sources})
    target_link_libraries(${library} PUBLIC ${ROOM_KNOWS} ${ROOM_USES} tollgate_options)
  else()
    add_library(${library} INTERFACE)
    target_link_libraries(${library} INTERFACE ${ROOM_KNOWS} ${ROOM_USES} tollgate_options)
  endif()

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${library} GTest::gmock GTest::gtest_main)
    target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${name}_test PRIVATE TOLLGATE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
  endif()
  if(benches)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE ${library} benchmark::benchmark benchmark::benchmark_main)
    target_compile_definitions(${name}_bench PRIVATE TOLLGATE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  endif()
  foreach(fuzzer ${fuzzers})
    get_filename_component(stem ${fuzzer} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" corpus ${stem})
    set(program ${name}_${stem})
    add_executable(${program} ${fuzzer})
    target_link_libraries(${program} PRIVATE ${library})
    if(TOLLGATE_FUZZ)
      target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${program} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/replay_corpus.cpp)
      add_test(NAME fuzz_corpus.${name}.${corpus}
               COMMAND ${program} ${PROJECT_SOURCE_DIR}/tests/corpus/${corpus})
      set_tests_properties(fuzz_corpus.${name}.${corpus} PROPERTIES TIMEOUT 300)
    endif()
  endforeach()
endfunction()
