// SPDX-License-Identifier: MIT
#include "http/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace catbird::http {
namespace {

TEST(Url, splits_what_a_did_document_needs) {
  auto url = parse_url("HTTPS://Example.COM/.well-known/did.json?x=%41", Reach::public_only);

  ASSERT_TRUE(url.has_value());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->target, "/.well-known/did.json?x=%41");
  EXPECT_EQ(url->authority(), "example.com");
  EXPECT_FALSE(url->literal.has_value());
}

TEST(Url, completes_an_absent_path) {
  EXPECT_EQ(parse_url("https://a.example", Reach::public_only)->target, "/");
  EXPECT_EQ(parse_url("https://a.example?q", Reach::public_only)->target, "/?q");
  EXPECT_EQ(parse_url("https://a.example:443/", Reach::public_only)->authority(), "a.example");
}

TEST(Url, keeps_ports_and_brackets_where_they_belong) {
  EXPECT_EQ(parse_url("http://localhost:2582/did", Reach::development)->authority(),
            "localhost:2582");
  EXPECT_EQ(parse_url("http://[::1]:80/", Reach::operator_url)->authority(), "[::1]");
  EXPECT_EQ(parse_url("https://[2606::1]/", Reach::public_only)->host, "2606::1");
  EXPECT_EQ(parse_url("https://8.8.8.8/", Reach::public_only)->host, "8.8.8.8");
}

void expect_refused(std::string_view text) {
  auto url = parse_url(text, Reach::public_only);

  ASSERT_FALSE(url.has_value()) << text;
  EXPECT_EQ(url.error().code, Errc::invalid_request);
}

TEST(PublicUrl, refuses_other_schemes) {
  for (const char* text :
       {"", "example.com", "//example.com/", "http://example.com/", "ftp://example.com/",
        "file:///etc/passwd", "gopher://example.com/", "https:/example.com/", "https:example.com",
        " https://example.com/", "javascript://example.com/", "wss://example.com/"}) {
    expect_refused(text);
  }
}

TEST(PublicUrl, refuses_authorities_two_parsers_could_read_differently) {
  for (const char* text : {"https://",
                           "https:///",
                           "https://user@example.com/",
                           "https://user:pw@example.com/",
                           "https://example.com@127.0.0.1/",
                           "https://@example.com/",
                           "https://example.com:80/",
                           "https://example.com:0443/",
                           "https://example.com:/",
                           "https://example.com:444/",
                           "https://example.com:99999/",
                           "https://example.com:-443/",
                           "https://example.com:443x/",
                           "https://example.com:443:443/",
                           "https://example.com\\@127.0.0.1/",
                           "https://example.com%00.evil.com/",
                           "https://exa mple.com/",
                           "https://example..com/",
                           "https://.example.com/",
                           "https://example.com./",
                           "https://-a.example.com/",
                           "https://a-.example.com/",
                           "https://a_b.example.com/",
                           "https://ex\xc3\xa4mple.com/",
                           "https://example.com\r\nHost: x/",
                           "https://example.com#@evil.com/",
                           "https://example.com;evil.com/"}) {
    expect_refused(text);
  }
}

TEST(PublicUrl, refuses_names_of_inner_hosts) {
  for (const char* text : {"https://localhost/", "https://LOCALHOST/", "https://localhost./",
                           "https://a.localhost/", "https://a.localhost./", "https://intranet/",
                           "https://metadata/", "https://ip6-localhost/"}) {
    expect_refused(text);
  }
}

TEST(PublicUrl, refuses_inner_addresses_in_any_spelling) {
  for (const char* text : {"https://127.0.0.1/",
                           "https://127.1/",
                           "https://127.0.1/",
                           "https://2130706433/",
                           "https://017700000001/",
                           "https://0x7f000001/",
                           "https://0x7f.0.0.1/",
                           "https://0x7f.1/",
                           "https://0177.0.0.1/",
                           "https://127.0.0.01/",
                           "https://127.0.0.1./",
                           "https://0/",
                           "https://0.0.0.0/",
                           "https://10.0.0.1/",
                           "https://169.254.169.254/latest/meta-data/",
                           "https://192.168.0.1/",
                           "https://[::1]/",
                           "https://[::]/",
                           "https://[::ffff:127.0.0.1]/",
                           "https://[::ffff:7f00:1]/",
                           "https://[fe80::1]/",
                           "https://[fe80::1%25eth0]/",
                           "https://[fd00::1]/",
                           "https://[64:ff9b::7f00:1]/",
                           "https://[2002:7f00:1::]/",
                           "https://[127.0.0.1]/",
                           "https://[8.8.8.8]/",
                           "https://[::1/",
                           "https://::1/",
                           "https://[::1]x/",
                           "https://[]/",
                           "https://8.8.8.8.8/",
                           "https://08.8.8.8/",
                           "https://8.8.8.0x8/",
                           "https://1.2.3/",
                           "https://a.b.1/",
                           "https://256.1.1.1/"}) {
    expect_refused(text);
  }
}

TEST(PublicUrl, refuses_targets_that_could_break_a_request_line) {
  for (const char* text :
       {"https://example.com/a b", "https://example.com/a#b", "https://example.com/a\r\nX: y",
        "https://example.com/\\..\\x", "https://example.com/<", "https://example.com/\x7f",
        "https://example.com/\xff", "https://example.com/{x}", "https://example.com/\t"}) {
    expect_refused(text);
  }
}

TEST(Url, is_bounded_in_length) {
  EXPECT_FALSE(parse_url("https://example.com/" + std::string(3000, 'a'), Reach::public_only));
  EXPECT_FALSE(parse_url("https://" + std::string(64, 'a') + ".com/", Reach::public_only));
  std::string host;
  for (int i = 0; i < 100; ++i) host += "abc.";
  EXPECT_FALSE(parse_url("https://" + host + "com/", Reach::public_only));
}

TEST(Url, is_as_strict_about_form_for_every_reach) {
  for (Reach reach : {Reach::operator_url, Reach::development}) {
    for (const char* text : {"http://u@h/", "http://127.1/", "http://0x7f000001/", "http://h:0/",
                             "http://h/#f", "http://localhost./", "http://h /"}) {
      EXPECT_FALSE(parse_url(text, reach).has_value()) << text;
    }
    EXPECT_TRUE(parse_url("http://localhost:2582/x", reach).has_value());
  }
}

TEST(MayConnect, allows_per_reach_what_fetch_hpp_says) {
  auto const open = *parse_url("http://pds.test:2582/", Reach::development);
  auto const tls = *parse_url("https://pds.test/", Reach::development);
  auto const loopback = *parse_ip("127.0.0.1");
  auto const inner = *parse_ip("10.0.0.1");
  auto const outer = *parse_ip("8.8.8.8");

  EXPECT_FALSE(may_connect(tls, loopback, Reach::public_only));
  EXPECT_FALSE(may_connect(tls, inner, Reach::public_only));
  EXPECT_TRUE(may_connect(tls, outer, Reach::public_only));
  EXPECT_FALSE(may_connect(open, outer, Reach::public_only));

  EXPECT_TRUE(may_connect(open, loopback, Reach::development));
  EXPECT_FALSE(may_connect(open, inner, Reach::development));
  EXPECT_FALSE(may_connect(tls, inner, Reach::development));
  EXPECT_FALSE(may_connect(open, outer, Reach::development));
  EXPECT_TRUE(may_connect(tls, outer, Reach::development));

  EXPECT_TRUE(may_connect(open, inner, Reach::operator_url));
  EXPECT_TRUE(may_connect(open, outer, Reach::operator_url));
}

}  // namespace
}  // namespace catbird::http
