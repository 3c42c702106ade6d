# One libFuzzer target for each parser of foreign bytes, and a canary that shows they can find a bug.

# catbird_add_fuzzer(message DEPS catbird::mls): builds <name>.fuzz.cpp and runs it shortly as
# fuzz.<name>.smoke. Seeds come from catbird_fuzz_seeds, and from corpus/<name> (inputs that once
# crashed), where it exists.
function(catbird_add_fuzzer name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(work ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
  add_executable(catbird_fuzz_${name} ${here}/${name}.fuzz.cpp)
  target_include_directories(catbird_fuzz_${name} PRIVATE ${here}/..)
  target_link_libraries(catbird_fuzz_${name} PRIVATE catbird_options ${arg_DEPS})
  target_link_options(catbird_fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(catbird_fuzzers catbird_fuzz_${name})

  set(seeds ${work}/seeds/${name})
  if(EXISTS ${here}/corpus/${name})
    list(APPEND seeds ${here}/corpus/${name})
  endif()
  file(MAKE_DIRECTORY ${work}/found/${name})
  add_test(NAME fuzz.${name}.smoke COMMAND catbird_fuzz_${name} -runs=30000 -max_len=4096 -seed=1
    -timeout=10 -malloc_limit_mb=64 -artifact_prefix=${work}/found/${name}- ${work}/found/${name}
    ${seeds})
  set_tests_properties(fuzz.${name}.smoke PROPERTIES LABELS fuzz FIXTURES_REQUIRED fuzz_seeds
    TIMEOUT 600)
endfunction()

add_custom_target(catbird_fuzzers)

add_executable(catbird_fuzz_seeds ${CMAKE_CURRENT_LIST_DIR}/seeds.cpp)
target_link_libraries(catbird_fuzz_seeds PRIVATE catbird_options catbird::test_mls)
add_dependencies(catbird_fuzzers catbird_fuzz_seeds)
add_test(NAME fuzz.seeds COMMAND catbird_fuzz_seeds ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds)
set_tests_properties(fuzz.seeds PROPERTIES LABELS fuzz FIXTURES_SETUP fuzz_seeds)

foreach(parser message key_package welcome group_info ratchet_tree padding)
  catbird_add_fuzzer(${parser} DEPS catbird::test_mls)
endforeach()

# Their seeds are in corpus/; the folder of made ones stays empty.
foreach(parser http_request http_names)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds/${parser})
  catbird_add_fuzzer(${parser} DEPS catbird::http)
endforeach()

foreach(parser token did_document)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz/seeds/${parser})
  catbird_add_fuzzer(${parser} DEPS catbird::auth)
endforeach()

# Passes only if the fuzzer finds the planted bug and AddressSanitizer names it.
add_executable(catbird_fuzz_canary ${CMAKE_CURRENT_LIST_DIR}/canary.fuzz.cpp)
target_link_libraries(catbird_fuzz_canary PRIVATE catbird_options)
target_link_options(catbird_fuzz_canary PRIVATE -fsanitize=fuzzer)
add_dependencies(catbird_fuzzers catbird_fuzz_canary)
add_test(NAME fuzz.canary COMMAND catbird_fuzz_canary -runs=5000000 -max_len=64 -seed=1
  -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/fuzz/canary-)
set_tests_properties(fuzz.canary PROPERTIES LABELS fuzz TIMEOUT 600
  PASS_REGULAR_EXPRESSION "AddressSanitizer: heap-buffer-overflow")
