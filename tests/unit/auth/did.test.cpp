// SPDX-License-Identifier: MIT
#include "auth/did.hpp"

#include "auth/service_auth.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace catbird::auth {
namespace {

const std::string plc = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

std::string url_of(std::string_view did, bool development = false,
                   const std::vector<std::string>& allowlist = {}) {
  const auto target = did_target(did, {"https://plc.directory/", development, allowlist});
  return target ? target->url : "refused";
}

TEST(Did, knows_valid_dids_of_both_methods) {
  for (const std::string& did :
       {plc, std::string("did:web:example.com"), std::string("did:web:a-b.c1.example.co"),
        std::string("did:web:localhost"), std::string("did:web:localhost%3A3000"),
        std::string("did:web:xn--bcher-kva.example.com")}) {
    EXPECT_TRUE(is_valid_did(did)) << did;
  }
}

TEST(Did, refuses_everything_else) {
  for (const std::string& did :
       std::vector<std::string>{"",
                                "did",
                                "did:",
                                "did:plc:",
                                "did:web:",
                                "did:key:zQ3sh",
                                plc + "a",
                                plc + "#d",
                                plc + "?x",
                                plc + "/",
                                "did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ",
                                "did:plc:ewvi7nxzyoun6zhxrhs64oi1",
                                "did:plc:ewvi7nxzyoun6zhxrhs64oi0",
                                "DID:plc:" + plc,
                                " " + plc,
                                plc + " ",
                                "did:web:Example.com",
                                "did:web:example",
                                "did:web:example.com:user",
                                "did:web:example.com%3A443",
                                "did:web:example.com%3a443",
                                "did:web:localhost%3A",
                                "did:web:localhost%3A0",
                                "did:web:localhost%3A65536",
                                "did:web:localhost%3A99999",
                                "did:web:localhost%3A123456",
                                "did:web:localhost%3A8x",
                                "did:web:localhost%3A1%3A2",
                                "did:web:localhost:3000",
                                "did:web:user@example.com",
                                "did:web:user%40example.com",
                                "did:web:example.com/path",
                                "did:web:example.com%2Fpath",
                                "did:web:example.com#a",
                                "did:web:example..com",
                                "did:web:.example.com",
                                "did:web:example.com.",
                                "did:web:-a.example.com",
                                "did:web:a-.example.com",
                                "did:web:a_b.example.com",
                                "did:web:127.0.0.1",
                                "did:web:2130706433",
                                "did:web:0x7f.1",
                                "did:web:0x7f000001",
                                "did:web:0177.0.0.1",
                                "did:web:127.1",
                                "did:web:[::1]",
                                "did:web:::1",
                                "did:web:%5B::1%5D",
                                "did:web:fe80::1%25eth0",
                                "did:web:1.2.3.4%3A80",
                                "did:web:ex\xC3\xA4mple.com",
                                "did:web:" + std::string(64, 'a') + ".com",
                                "did:web:" + std::string(3000, 'a') + ".com"}) {
    EXPECT_FALSE(is_valid_did(did)) << did;
    EXPECT_EQ(url_of(did, true), "refused") << did;
  }
}

TEST(Did, asks_the_directory_with_escaped_colons) {
  EXPECT_EQ(url_of(plc), "https://plc.directory/did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz");
}

TEST(Did, asks_a_web_host_at_its_well_known_place_over_https) {
  EXPECT_EQ(url_of("did:web:example.com"), "https://example.com/.well-known/did.json");
}

TEST(Did, never_asks_inner_names) {
  for (const char* host :
       {"localhost", "localhost%3A80", "printer.local", "db.internal", "a.test", "a.invalid",
        "x.localhost", "a.example", "a.onion", "a.home.arpa", "host.localdomain"}) {
    EXPECT_EQ(url_of("did:web:" + std::string(host)), "refused") << host;
  }
}

TEST(Did, asks_localhost_over_http_in_development_only) {
  EXPECT_EQ(url_of("did:web:localhost", true), "http://localhost/.well-known/did.json");
  EXPECT_EQ(url_of("did:web:localhost%3A2583", true), "http://localhost:2583/.well-known/did.json");
  EXPECT_EQ(url_of("did:web:db.internal", true), "refused");
}

TEST(Did, holds_web_hosts_but_not_the_directory_to_the_allowlist) {
  const std::vector<std::string> allowed{"example.com", ".example.org"};

  EXPECT_NE(url_of("did:web:example.com", false, allowed), "refused");
  EXPECT_NE(url_of("did:web:a.example.org", false, allowed), "refused");
  EXPECT_NE(url_of(plc, false, allowed), "refused");
  EXPECT_EQ(url_of("did:web:a.example.com", false, allowed), "refused");
  EXPECT_EQ(url_of("did:web:example.org", false, allowed), "refused");
  EXPECT_EQ(url_of("did:web:badexample.org", false, allowed), "refused");
}

}  // namespace
}  // namespace catbird::auth
