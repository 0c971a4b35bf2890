# Everything that is not ours. Libraries come from Debian; llhttp and the Wasm engine are pinned by hash.
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
include(GoogleTest)

find_library(CARES_STATIC libcares.a REQUIRED)
add_library(cares_static INTERFACE)
target_link_libraries(cares_static INTERFACE ${CARES_STATIC})

find_library(CRYPTO_STATIC libcrypto.a REQUIRED)
add_library(crypto_static INTERFACE)
target_link_libraries(crypto_static INTERFACE ${CRYPTO_STATIC})

# llhttp 9.4.3 (Node's HTTP/1 parser). Debian 12 has 8.1 only, which lets 12 of our hostile vectors through
# instead of 7; PyPI's source package of httptools carries the generated C files with their licence.
set(LLHTTP_PACKAGE httptools==0.9.0)
set(LLHTTP_SHA256 d484ebb7e3a3f3597b0f645fbd1b85633674ca808c1f5ba11c2caf7c66f5c8b6)
set(LLHTTP_DIR ${CMAKE_BINARY_DIR}/_deps/llhttp)
set(LLHTTP_ARCHIVE ${LLHTTP_DIR}/httptools-0.9.0.tar.gz)
set(LLHTTP_SOURCE ${LLHTTP_DIR}/httptools-0.9.0/vendor/llhttp)
if(NOT EXISTS ${LLHTTP_SOURCE}/src/llhttp.c)
  if(NOT EXISTS ${LLHTTP_ARCHIVE})
    execute_process(COMMAND python3 -m pip download --quiet --no-deps --no-binary :all: --dest ${LLHTTP_DIR}
                            ${LLHTTP_PACKAGE} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(SHA256 ${LLHTTP_ARCHIVE} LLHTTP_FOUND)
  if(NOT LLHTTP_FOUND STREQUAL LLHTTP_SHA256)
    message(FATAL_ERROR "llhttp: ${LLHTTP_ARCHIVE} has SHA-256 ${LLHTTP_FOUND}, expected ${LLHTTP_SHA256}")
  endif()
  file(ARCHIVE_EXTRACT INPUT ${LLHTTP_ARCHIVE} DESTINATION ${LLHTTP_DIR})
endif()
add_library(llhttp STATIC ${LLHTTP_SOURCE}/src/llhttp.c ${LLHTTP_SOURCE}/src/api.c ${LLHTTP_SOURCE}/src/http.c)
target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_SOURCE}/include)
target_compile_options(llhttp PRIVATE -O3 -w)

# The Wasm engine: the wrapper crate of engine/, built by cargo into a cache that outlives the build folder
# (keyed by its lock file), then copied here with its headers. The script does nothing when nothing changed.
set(ENGINE_DIR ${CMAKE_BINARY_DIR}/engine)
set(ENGINE_LIBRARY ${ENGINE_DIR}/libtollgate_engine.a)
file(GLOB_RECURSE ENGINE_SOURCES CONFIGURE_DEPENDS engine/src/*.rs engine/bforest/* engine/include/*.h)
file(GLOB ENGINE_PROFILE CONFIGURE_DEPENDS engine/rustc-*.profdata)
add_custom_command(
  OUTPUT ${ENGINE_LIBRARY}
  COMMAND ${PROJECT_SOURCE_DIR}/engine/build.sh ${ENGINE_DIR} $<IF:$<BOOL:${TOLLGATE_TRAIN}>,train,use>
  DEPENDS ${ENGINE_SOURCES} engine/Cargo.toml engine/Cargo.lock engine/build.rs engine/build.sh
          ${ENGINE_PROFILE}
  COMMENT "Building the Wasm engine (minutes at first, cached by its lock file)"
  USES_TERMINAL)
add_custom_target(engine_archive DEPENDS ${ENGINE_LIBRARY})
file(MAKE_DIRECTORY ${ENGINE_DIR}/include)
add_library(tollgate_engine INTERFACE)
add_dependencies(tollgate_engine engine_archive)
target_include_directories(tollgate_engine SYSTEM INTERFACE ${ENGINE_DIR}/include)
target_include_directories(tollgate_engine INTERFACE ${PROJECT_SOURCE_DIR}/engine/include)
target_link_libraries(tollgate_engine INTERFACE ${ENGINE_LIBRARY} Threads::Threads dl m)
if(TOLLGATE_TRAIN)
  target_link_options(tollgate_engine INTERFACE -u __llvm_profile_runtime -Wl,--no-gc-sections)
endif()
