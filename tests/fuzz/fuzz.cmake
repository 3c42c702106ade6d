# One libFuzzer target for each parser of foreign bytes, two for the server behind them, and a canary
# that shows they can find a bug. script/fuzz runs them for longer.

set(CATBIRD_FUZZ_SECONDS 20 CACHE STRING "How long CTest runs each fuzzer")
set(fuzz_here ${CMAKE_CURRENT_LIST_DIR})
set(fuzz_work ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
# "name arguments" of each, for script/fuzz.
file(WRITE ${fuzz_work}/targets "")

# catbird_add_fuzzer(message DEPS catbird::mls): builds <name>.fuzz.cpp, and runs it as fuzz.<name>
# over its corpus: corpus/<name> (kept, minimised), what catbird_fuzz_seeds made, and what earlier
# runs of this build found. ARGS: its own libFuzzer arguments.
function(catbird_add_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(catbird_fuzz_${name} ${fuzz_here}/${name}.fuzz.cpp ${arg_SOURCES})
  target_include_directories(catbird_fuzz_${name} PRIVATE ${fuzz_here}/..)
  target_link_libraries(catbird_fuzz_${name} PRIVATE catbird_options ${arg_DEPS})
  target_link_options(catbird_fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(catbird_fuzzers catbird_fuzz_${name})

  file(MAKE_DIRECTORY ${fuzz_work}/seeds/${name} ${fuzz_work}/found/${name})
  set(run -max_len=4096 -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024 ${arg_ARGS})
  list(JOIN run " " line)
  # A corpus that is still empty has no folder: git keeps none.
  set(fuzz_corpus)
  if(IS_DIRECTORY ${fuzz_here}/corpus/${name})
    set(fuzz_corpus ${fuzz_here}/corpus/${name})
  endif()
  file(APPEND ${fuzz_work}/targets "${name} ${line}\n")
  add_test(NAME fuzz.${name} COMMAND catbird_fuzz_${name} ${run} -seed=1
    -max_total_time=${CATBIRD_FUZZ_SECONDS} -print_final_stats=1
    -artifact_prefix=${fuzz_work}/found/${name}- ${fuzz_work}/found/${name}
    ${fuzz_work}/seeds/${name} ${fuzz_corpus})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz FIXTURES_REQUIRED fuzz_seeds TIMEOUT 600)
endfunction()

add_custom_target(catbird_fuzzers)

# The server on a memory disk and on one thread, and what must hold of it.
add_library(catbird_fuzz_node STATIC fuzz/node.cpp fuzz/invariants.cpp fuzz/requests.cpp)
target_include_directories(catbird_fuzz_node PUBLIC ${fuzz_here}/..)
target_link_libraries(catbird_fuzz_node PRIVATE catbird_options
  PUBLIC catbird::xrpc catbird::storage_memory catbird::test_mls)

add_executable(catbird_fuzz_seeds ${fuzz_here}/seeds.cpp)
target_link_libraries(catbird_fuzz_seeds PRIVATE catbird_options catbird_fuzz_node)
add_dependencies(catbird_fuzzers catbird_fuzz_seeds)
add_test(NAME fuzz.seeds COMMAND catbird_fuzz_seeds ${fuzz_work}/seeds)
set_tests_properties(fuzz.seeds PROPERTIES LABELS fuzz FIXTURES_SETUP fuzz_seeds)

foreach(parser message key_package welcome group_info ratchet_tree padding)
  catbird_add_fuzzer(${parser} DEPS catbird::test_mls)
endforeach()
foreach(parser http_request http_names websocket)
  catbird_add_fuzzer(${parser} DEPS catbird::http)
endforeach()
foreach(parser token did_document)
  catbird_add_fuzzer(${parser} DEPS catbird::auth)
endforeach()
catbird_add_fuzzer(token_signed SOURCES support/auth_signer.cpp DEPS catbird::auth
  ARGS -dict=${fuzz_here}/token.dict)
catbird_add_fuzzer(encodings DEPS catbird::base)
catbird_add_fuzzer(query DEPS catbird::xrpc)
catbird_add_fuzzer(config SOURCES ${PROJECT_SOURCE_DIR}/src/app/config.cpp
  DEPS catbird::auth catbird::http
  ARGS -dict=${fuzz_here}/config.dict)
catbird_add_fuzzer(requests DEPS catbird_fuzz_node ARGS -max_len=16384 -dict=${fuzz_here}/requests.dict)
catbird_add_fuzzer(api_calls DEPS catbird_fuzz_node ARGS -max_len=512)

# Passes only if the fuzzer finds the planted bug and AddressSanitizer names it.
add_executable(catbird_fuzz_canary ${fuzz_here}/canary.fuzz.cpp)
target_link_libraries(catbird_fuzz_canary PRIVATE catbird_options)
target_link_options(catbird_fuzz_canary PRIVATE -fsanitize=fuzzer)
add_dependencies(catbird_fuzzers catbird_fuzz_canary)
add_test(NAME fuzz.canary COMMAND catbird_fuzz_canary -runs=5000000 -max_len=64 -seed=1
  -artifact_prefix=${fuzz_work}/canary-)
set_tests_properties(fuzz.canary PROPERTIES LABELS fuzz TIMEOUT 600
  PASS_REGULAR_EXPRESSION "AddressSanitizer: heap-buffer-overflow")
