# The simulator (quality/reliability.md G1-G3): a program for thousands of seeds in the release build, and
# 200 of them under the sanitizers in CTest.
add_library(catbird_sim_world STATIC sim/client.cpp sim/client_commands.cpp sim/client_reads.cpp
  sim/endpoints.cpp sim/model.cpp sim/model_governance.cpp sim/model_rules.cpp sim/nemesis.cpp sim/node.cpp sim/oracle.cpp
  sim/oracle_end.cpp sim/oracle_reads.cpp sim/oracle_stream.cpp sim/run.cpp sim/scratch.cpp
  sim/shrink.cpp sim/swarm.cpp sim/watcher.cpp sim/wire.cpp sim/witness.cpp)
target_include_directories(catbird_sim_world PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(catbird_sim_world PRIVATE catbird_options
  PUBLIC catbird::xrpc catbird::storage_memory catbird::storage_sqlite catbird::storage_postgres
  PRIVATE catbird::test_postgres)
add_executable(catbird-sim sim/main.cpp)
target_link_libraries(catbird-sim PRIVATE catbird_options catbird_sim_world)

if(CATBIRD_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  catbird_add_test(sim LABEL sim SOURCES sim/sim.test.cpp DEPS catbird_sim_world)
endif()
