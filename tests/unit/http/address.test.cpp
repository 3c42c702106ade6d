// SPDX-License-Identifier: MIT
#include "http/address.hpp"

#include "http/fetch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace catbird::http {
namespace {

IpAddress ip(std::string_view text) {
  auto parsed = parse_ip(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(IpAddress{});
}

CidrSet cidrs(std::vector<std::string> texts) {
  auto set = CidrSet::parse(texts);
  EXPECT_TRUE(set.has_value());
  return set.value_or(CidrSet{});
}

TEST(Public, takes_no_special_ipv4_address) {
  for (const char* text :
       {"0.0.0.0",         "0.1.2.3",       "0.255.255.255",   "10.0.0.0",        "10.0.0.1",
        "10.255.255.255",  "100.64.0.0",    "100.64.0.1",      "100.127.255.255", "127.0.0.0",
        "127.0.0.1",       "127.1.2.3",     "127.255.255.255", "169.254.0.1",     "169.254.169.254",
        "169.254.255.255", "172.16.0.0",    "172.16.0.1",      "172.20.1.1",      "172.31.255.255",
        "192.0.0.0",       "192.0.0.9",     "192.0.0.170",     "192.0.2.0",       "192.0.2.1",
        "192.0.2.255",     "192.88.99.1",   "192.168.0.0",     "192.168.1.1",     "192.168.255.255",
        "198.18.0.0",      "198.18.0.1",    "198.19.255.255",  "198.51.100.0",    "198.51.100.7",
        "203.0.113.0",     "203.0.113.255", "224.0.0.1",       "239.255.255.255", "240.0.0.1",
        "255.255.255.255"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(Public, takes_no_special_ipv6_address_or_one_in_disguise) {
  for (const char* text : {"::",
                           "::1",
                           "::2",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::ffff:0.0.0.0",
                           "::ffff:169.254.169.254",
                           "::ffff:192.168.0.1",
                           "::ffff:7f00:1",
                           "::127.0.0.1",
                           "::10.0.0.1",
                           "::8.8.8.8",
                           "64:ff9b::127.0.0.1",
                           "64:ff9b::10.1.2.3",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b::0.0.0.0",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:20::1",
                           "2001:db8::1",
                           "2001:db8:ffff::1",
                           "2002::1",
                           "2002:7f00:1::1",
                           "2002:a00:1::1",
                           "2002:808:808::1",
                           "3fff::1",
                           "3fff:fff::1",
                           "4000::1",
                           "5f00::1",
                           "fc00::1",
                           "fd00::1",
                           "fdff:ffff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "feff::1",
                           "ff00::1",
                           "ff02::1",
                           "ffff::1"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(Public, takes_no_text_that_is_not_an_address) {
  for (const char* text :
       {"", " ", "localhost", "8.8.8", "8.8.8.8.8", "08.8.8.8", "0x8.8.8.8", "134744072",
        "8.8.8.8 ", " 8.8.8.8", "8.8.8.8:53", "[2606::1]", "2606::1%eth0", "256.1.1.1"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(Public, takes_the_neighbours_of_every_refused_block) {
  for (const char* text :
       {"1.0.0.0",     "9.255.255.255",   "11.0.0.0",       "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.0",      "169.253.255.255",
        "169.255.0.0", "172.15.255.255",  "172.32.0.0",     "192.0.1.0",
        "192.0.3.0",   "192.167.255.255", "192.169.0.0",    "198.17.255.255",
        "198.20.0.0",  "198.51.99.255",   "198.51.101.0",   "203.0.112.255",
        "203.0.114.0", "223.255.255.255", "8.8.8.8",        "2606:4700::1111",
        "2001:200::1", "2001:db7::1",     "2001:db9::1",    "2003::1",
        "2a00::1",     "3ffe::1",         "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"}) {
    EXPECT_TRUE(is_public_address(text)) << text;
  }
}

TEST(IpAddress, treats_a_mapped_address_as_the_ipv4_address_it_is) {
  EXPECT_EQ(ip("::ffff:1.2.3.4"), ip("1.2.3.4"));
  EXPECT_EQ(ip("::ffff:1.2.3.4").text(), "1.2.3.4");
  EXPECT_TRUE(ip("::ffff:127.9.9.9").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_EQ(ip("2001:DB8:0:0::1").text(), "2001:db8::1");
  EXPECT_FALSE(parse_ip(std::string_view("1.2.3.4\0.evil", 13)));
}

TEST(CidrSet, contains_exactly_its_blocks) {
  auto const set = cidrs({"10.0.0.0/8", "192.168.4.0/22", "203.0.113.7", "2001:db8::/33", "::1"});

  for (const char* in : {"10.0.0.0", "10.255.255.255", "192.168.4.0", "192.168.7.255",
                         "203.0.113.7", "2001:db8:7fff::1", "::1", "::ffff:10.1.1.1"}) {
    EXPECT_TRUE(set.contains(ip(in))) << in;
  }
  for (const char* out : {"9.255.255.255", "11.0.0.0", "192.168.3.255", "192.168.8.0",
                          "203.0.113.8", "2001:db8:8000::", "::2", "::a00:1"}) {
    EXPECT_FALSE(set.contains(ip(out))) << out;
  }
}

TEST(CidrSet, takes_everything_with_a_zero_prefix_of_the_family) {
  EXPECT_TRUE(cidrs({"0.0.0.0/0"}).contains(ip("1.2.3.4")));
  EXPECT_FALSE(cidrs({"0.0.0.0/0"}).contains(ip("2606::1")));
  EXPECT_TRUE(cidrs({"::/0"}).contains(ip("2606::1")));
  EXPECT_TRUE(cidrs({"::/0"}).contains(ip("1.2.3.4")));
  EXPECT_FALSE(cidrs({}).contains(ip("1.2.3.4")));
}

TEST(CidrSet, refuses_what_is_no_block) {
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "::/129",
        "::1/ 64", "host/8", "10.0.0.0/8/8", "10.0.0.0/99999999999"}) {
    std::vector<std::string> const texts{text};
    EXPECT_FALSE(CidrSet::parse(texts).has_value()) << text;
  }
}

TEST(ClientAddress, is_the_peer_unless_the_peer_is_a_trusted_proxy) {
  auto const trusted = cidrs({"10.0.0.0/8"});

  EXPECT_EQ(client_address(trusted, ip("1.1.1.1"), "9.9.9.9").text(), "1.1.1.1");
  EXPECT_EQ(client_address(trusted, ip("10.0.0.1"), "9.9.9.9").text(), "9.9.9.9");
  EXPECT_EQ(client_address(trusted, ip("10.0.0.1"), "").text(), "10.0.0.1");
  EXPECT_EQ(client_address(cidrs({}), ip("10.0.0.1"), "9.9.9.9").text(), "10.0.0.1");
}

TEST(ClientAddress, is_the_rightmost_one_no_trusted_proxy_owns) {
  auto const trusted = cidrs({"10.0.0.0/8", "fd00::/8"});
  auto client = [&](std::string_view forwarded) {
    return client_address(trusted, ip("10.0.0.1"), forwarded).text();
  };

  EXPECT_EQ(client("6.6.6.6, 9.9.9.9"), "9.9.9.9");
  EXPECT_EQ(client("6.6.6.6, 9.9.9.9, 10.0.0.2 ,\tfd00::1"), "9.9.9.9");
  EXPECT_EQ(client("10.0.0.3, 10.0.0.2"), "10.0.0.3");
  EXPECT_EQ(client("9.9.9.9:4711"), "9.9.9.9");
  EXPECT_EQ(client("[2606::1]:443"), "2606::1");
  EXPECT_EQ(client("2606::1"), "2606::1");
}

TEST(ClientAddress, stops_at_the_last_believed_proxy_before_an_entry_that_is_no_address) {
  auto const trusted = cidrs({"10.0.0.0/8"});
  for (const char* bad : {"unknown", "", " ", "_hidden", "1.2.3", "1.2.3.4:x", "1.2.3.4:123456",
                          "[1.2.3.4", "[]", "1.2.3.4\"", "<script>"}) {
    auto const forwarded = "9.9.9.9, " + std::string(bad) + ", 10.0.0.7";

    EXPECT_EQ(client_address(trusted, ip("10.0.0.1"), forwarded).text(), "10.0.0.7") << bad;
  }
}

}  // namespace
}  // namespace catbird::http
