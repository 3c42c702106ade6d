// SPDX-License-Identifier: MIT
#include "obs/metrics.hpp"

#include "obs/catalogue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace catbird::obs {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, shows_a_counter_with_help_type_labels_and_value) {
  auto metrics = Metrics::create();

  metrics->counter("actor_spawns_total", "Actors started", "actor_type=conversation_actor").add(5);

  auto page = metrics->page();
  EXPECT_THAT(page, HasSubstr("# HELP actor_spawns_total Actors started\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE actor_spawns_total counter\n"));
  EXPECT_THAT(page, HasSubstr("actor_spawns_total{actor_type=\"conversation_actor\"} 5"));
}

TEST(Metrics, gives_the_same_object_for_the_same_name_and_labels) {
  auto metrics = Metrics::create();

  auto& one = metrics->counter("c_total", "h", "a=1,b=2");

  EXPECT_EQ(&one, &metrics->counter("c_total", "h", "a=1,b=2"));
  EXPECT_NE(&one, &metrics->counter("c_total", "h", "a=1,b=3"));
  EXPECT_EQ(&metrics->histogram("h_seconds", "h"), &metrics->histogram("h_seconds", "h"));
}

TEST(Metrics, counts_histogram_observations_in_fixed_buckets) {
  auto metrics = Metrics::create();
  auto& histogram = metrics->histogram("d_seconds", "h");

  histogram.observe(0.0004);
  histogram.observe(0.3);
  histogram.observe(60);

  auto page = metrics->page();
  EXPECT_THAT(page, HasSubstr("d_seconds_bucket{le=\"0.0005\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("d_seconds_bucket{le=\"0.5\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("d_seconds_bucket{le=\"10\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("d_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("d_seconds_count 3\n"));
}

TEST(Metrics, loses_no_increment_between_threads) {
  auto metrics = Metrics::create();
  auto& counter = metrics->counter("c_total", "h");
  auto& histogram = metrics->histogram("d_seconds", "h");

  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          counter.add();
          histogram.observe(0.001);
        }
      });
    }
  }

  auto page = metrics->page();
  EXPECT_THAT(page, HasSubstr("c_total 4000"));
  EXPECT_THAT(page, HasSubstr("d_seconds_count 4000"));
}

TEST(Metrics, refreshes_read_gauges_before_each_page) {
  auto metrics = Metrics::create();
  int reads = 0;
  metrics->on_collect([&] { metrics->gauge("depth", "h").set(++reads * 10); });

  auto first = metrics->page();
  auto second = metrics->page();

  EXPECT_THAT(first, HasSubstr("depth 10"));
  EXPECT_THAT(second, HasSubstr("depth 20"));
}

TEST(Metrics, reports_its_own_memory_and_processor_time) {
  auto metrics = Metrics::create();

  auto page = metrics->page();

  EXPECT_THAT(page, HasSubstr("# TYPE process_resident_memory_bytes gauge\n"));
  EXPECT_THAT(page, Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(page, HasSubstr("# TYPE process_cpu_seconds_total gauge\n"));
  EXPECT_THAT(page, Not(HasSubstr("process_cpu_seconds_total 0\n")));
}

TEST(Metrics, shows_every_described_family_before_its_first_value) {
  auto metrics = Metrics::create();

  describe_families(*metrics);

  auto page = metrics->page();
  for (std::string name :
       {"http_requests_total counter", "http_request_duration_seconds histogram",
        "database_connections_active gauge", "database_queries_total counter",
        "mls_messages_sent_total counter", "mls_groups_created_total counter",
        "actor_spawns_total counter", "actor_stops_total counter", "actor_restarts_total counter",
        "actor_mailbox_depth gauge", "actor_message_duration_seconds histogram",
        "actor_message_drops_total counter", "actor_mailbox_full_events_total counter",
        "epoch_increment_duration_seconds histogram", "epoch_conflicts_total counter"}) {
    EXPECT_THAT(page, HasSubstr("# TYPE " + name + "\n"));
  }
  EXPECT_THAT(page, Not(HasSubstr("convo_id")));
}

TEST(Metrics, folds_label_sets_beyond_the_bound_into_one) {
  auto metrics = Metrics::create();
  for (int i = 0; i < 10'000; ++i) metrics->counter("c_total", "h", "id=" + std::to_string(i));

  metrics->counter("c_total", "h", "id=new1").add();
  metrics->counter("c_total", "h", "id=new2").add();

  auto page = metrics->page();
  EXPECT_THAT(page, HasSubstr("c_total{id=\"other\"} 2"));
  EXPECT_THAT(page, Not(HasSubstr("new1")));
}

}  // namespace
}  // namespace catbird::obs
