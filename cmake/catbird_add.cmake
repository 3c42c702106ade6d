# The ways a target is made. Options and warnings are applied here and nowhere else.

add_library(catbird_options INTERFACE)
target_compile_features(catbird_options INTERFACE cxx_std_23)
target_compile_options(catbird_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers>)
if(CATBIRD_MUTANTS)
  target_compile_definitions(catbird_options INTERFACE CATBIRD_MUTANTS)
endif()
if(CATBIRD_SANITIZE)
  target_compile_options(catbird_options INTERFACE -fsanitize=${CATBIRD_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(catbird_options INTERFACE -fsanitize=${CATBIRD_SANITIZE})
endif()

# catbird_add_library(core SOURCES a.cpp b.cpp DEPS base mls): layer `catbird::core`, linking exactly DEPS.
function(catbird_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(arg_SOURCES)
    add_library(catbird_${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(catbird_${name} PRIVATE catbird_options)
  else()
    add_library(catbird_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(catbird::${name} ALIAS catbird_${name})
  target_include_directories(catbird_${name} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(catbird_${name} ${scope} ${arg_DEPS})
endfunction()

# Where the tests' own PostgreSQL server keeps its data: a folder that the user postgres can reach,
# of this build folder alone. CTest starts it before the first test that needs it.
string(MD5 CATBIRD_TEST_POSTGRES_NAME "${CMAKE_BINARY_DIR}")
set(CATBIRD_TEST_POSTGRES_DIR "/tmp/catbird-postgres-${CATBIRD_TEST_POSTGRES_NAME}")
string(REPLACE "/" "%2F" CATBIRD_TEST_POSTGRES_HOST "${CATBIRD_TEST_POSTGRES_DIR}")
set(CATBIRD_TEST_POSTGRES "postgresql://postgres@${CATBIRD_TEST_POSTGRES_HOST}:5432/catbird")

# catbird_add_test(unit_core SOURCES ... DEPS ... LABEL unit): one binary, each case seen by CTest.
# With POSTGRES its cases run while the tests' server does, and find it in CATBIRD_TEST_POSTGRES.
function(catbird_add_test kind)
  cmake_parse_arguments(arg "POSTGRES" "LABEL" "SOURCES;DEPS" ${ARGN})
  set(properties LABELS ${arg_LABEL} TIMEOUT 600)
  if(arg_POSTGRES)
    list(APPEND properties FIXTURES_REQUIRED postgres
      ENVIRONMENT "CATBIRD_TEST_POSTGRES=${CATBIRD_TEST_POSTGRES}")
  endif()
  add_executable(catbird_test_${kind} ${arg_SOURCES})
  target_include_directories(catbird_test_${kind} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(catbird_test_${kind} PRIVATE
    CATBIRD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(catbird_test_${kind} PRIVATE catbird_options ${arg_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(catbird_test_${kind} TEST_PREFIX "${kind}." DISCOVERY_TIMEOUT 120
    PROPERTIES ${properties})
endfunction()
