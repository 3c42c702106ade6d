# Real threads over the real code. Meaningful under ThreadSanitizer; built and run under ASan too,
# since it costs little.
catbird_add_test(tsan LABEL tsan SOURCES tsan/engine.tsan.cpp tsan/http.tsan.cpp
  tsan/fetch.tsan.cpp tsan/auth.tsan.cpp support/auth_signer.cpp
  DEPS catbird::runtime catbird::storage_memory catbird::http catbird::auth)
catbird_add_test(tsan_node LABEL tsan SOURCES tsan/node.tsan.cpp
  DEPS catbird::app catbird::test_mls nlohmann_json::nlohmann_json)
add_custom_target(catbird_tsan DEPENDS catbird_test_tsan catbird_test_tsan_node)
