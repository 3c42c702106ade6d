# Faults under the SQLite store and the release server (script/faults). Built with the release preset
# as well: what ships is what is tested.
if(CATBIRD_BUILD_TESTS OR CATBIRD_BUILD_BENCH)
  add_executable(catbird-crash crash/crash.cpp crash/history.cpp crash/life.cpp crash/power_cut.cpp
    crash/recording_vfs.cpp contract/storage/describe.cpp)
  target_include_directories(catbird-crash PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(catbird-crash PRIVATE catbird_options catbird::actors
    catbird::storage_memory catbird::storage_sqlite fmt::fmt)

  # Preloaded by tests/integration/node/faults.
  add_library(catbird-fault-shim MODULE faults/fault_shim.cpp)
  target_link_libraries(catbird-fault-shim PRIVATE catbird_options ${CMAKE_DL_LIBS})
endif()
