# SPDX-License-Identifier: MIT
# The load generator and what it measures (script/bench).
add_executable(catbird-bench bench/main.cpp bench/axes.cpp bench/cell.cpp bench/did_directory.cpp
  bench/http_load.cpp bench/ledger.cpp bench/memory.cpp bench/overload.cpp bench/process.cpp bench/report.cpp bench/seed.cpp
  bench/stress.cpp bench/traffic.cpp bench/world.cpp support/auth_signer.cpp)
target_include_directories(catbird-bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(catbird-bench PRIVATE catbird_options catbird::auth catbird::storage_postgres
  catbird::storage_sqlite catbird::test_mls fmt::fmt PostgreSQL::PostgreSQL)

# Preloaded into the bench's own PostgreSQL.
add_library(catbird-commit-delay MODULE bench/commit_delay_shim.cpp)
target_link_libraries(catbird-commit-delay PRIVATE catbird_options ${CMAKE_DL_LIBS})
