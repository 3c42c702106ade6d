# SPDX-License-Identifier: MIT
# The racing client, and the checker of what it wrote down (tests/integration/node/races.test.mjs).
add_executable(catbird-race race/main.cpp race/run.cpp race/client.cpp race/answer.cpp race/wire.cpp
  race/history_log.cpp race/scenarios.cpp race/scenarios_predecessor.cpp race/scenario_key_packages.cpp
  race/scenario_unread.cpp race/scenario_load.cpp)
target_include_directories(catbird-race PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(catbird-race PRIVATE catbird_options catbird::auth catbird::test_mls
  simdjson::simdjson fmt::fmt Threads::Threads)

if(CATBIRD_BUILD_TESTS)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME checker.planted_histories
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/checker/check_history_test.py)
  set_tests_properties(checker.planted_histories PROPERTIES LABELS unit TIMEOUT 300)
endif()
