# What is generated from tables for the hostile-input tests; the rest of them is in integration/node/hostile.
catbird_add_test(hostile LABEL unit SOURCES hostile/access_matrix.test.cpp
  hostile/ssrf.test.cpp
  DEPS catbird::http catbird::xrpc)
