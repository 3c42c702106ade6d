// SPDX-License-Identifier: MIT
#include "obs/metrics.hpp"

#include "base/check.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace catbird::obs {
namespace {

/// Above this a family folds new label sets into one whose values are "other": a page must not
/// grow with what clients send.
constexpr std::size_t series_per_family_max = 10'000;

const prometheus::Histogram::BucketBoundaries& buckets_seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return bounds;
}

prometheus::Labels parse_labels(std::string_view text) {
  prometheus::Labels labels;
  while (!text.empty()) {
    auto const comma = text.find(',');
    auto const pair = text.substr(0, comma);
    auto const equals = pair.find('=');
    CATBIRD_CHECK(equals != std::string_view::npos && equals > 0);
    labels.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return labels;
}

class CounterAdapter final : public Counter {
 public:
  explicit CounterAdapter(prometheus::Counter& target) : target_(target) {}
  void add(double amount) override { target_.Increment(amount); }

 private:
  prometheus::Counter& target_;
};

class GaugeAdapter final : public Gauge {
 public:
  explicit GaugeAdapter(prometheus::Gauge& target) : target_(target) {}
  void set(double value) override { target_.Set(value); }
  void add(double amount) override { target_.Increment(amount); }

 private:
  prometheus::Gauge& target_;
};

class HistogramAdapter final : public Histogram {
 public:
  explicit HistogramAdapter(prometheus::Histogram& target) : target_(target) {}
  void observe(double value) override { target_.Observe(value); }

 private:
  prometheus::Histogram& target_;
};

/// All families of one type: name -> family and its series by label text.
template <class Adapter, class Target>
class Families {
 public:
  using Builder = prometheus::detail::Builder<Target>;

  template <class... Extra>
  Adapter& get(Builder builder, prometheus::Registry& registry, std::string_view name,
               std::string_view help, std::string_view labels, const Extra&... extra) {
    auto at = families_.find(name);
    if (at == families_.end()) {
      auto& family = builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
      at = families_.emplace(name, Family{&family, {}}).first;
    }
    Family& family = at->second;
    auto series = family.series.find(labels);
    if (series != family.series.end()) return *series->second;

    auto parsed = parse_labels(labels);
    bool const full = family.series.size() >= series_per_family_max;
    if (full) {
      for (auto& label : parsed) label.second = "other";
    }
    auto adapter = std::make_unique<Adapter>(family.target->Add(parsed, extra...));
    // A folded label set shares one entry, so that the map stays bounded too.
    std::string key = full ? std::string("other") : std::string(labels);
    return *family.series.try_emplace(std::move(key), std::move(adapter)).first->second;
  }

  bool contains(std::string_view name) const { return families_.contains(name); }

 private:
  struct Family {
    prometheus::Family<Target>* target;
    std::map<std::string, std::unique_ptr<Adapter>, std::less<>> series;
  };
  std::map<std::string, Family, std::less<>> families_;
};

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class PrometheusMetrics final : public Metrics {
 public:
  PrometheusMetrics()
      : resident_(
            PrometheusMetrics::gauge("process_resident_memory_bytes", "Resident memory in bytes")),
        cpu_(PrometheusMetrics::gauge("process_cpu_seconds_total",
                                      "User and system CPU time in seconds")) {}

  Counter& counter(std::string_view name, std::string_view help, std::string_view labels) override {
    std::lock_guard lock(mutex_);
    CATBIRD_CHECK(!gauges_.contains(name) && !histograms_.contains(name));
    return counters_.get(prometheus::BuildCounter(), registry_, name, help, labels);
  }

  Gauge& gauge(std::string_view name, std::string_view help,
               std::string_view labels = {}) override {
    std::lock_guard lock(mutex_);
    CATBIRD_CHECK(!counters_.contains(name) && !histograms_.contains(name));
    return gauges_.get(prometheus::BuildGauge(), registry_, name, help, labels);
  }

  Histogram& histogram(std::string_view name, std::string_view help,
                       std::string_view labels) override {
    std::lock_guard lock(mutex_);
    CATBIRD_CHECK(!counters_.contains(name) && !gauges_.contains(name));
    return histograms_.get(prometheus::BuildHistogram(), registry_, name, help, labels,
                           buckets_seconds());
  }

  void on_collect(std::function<void()> refresh) override {
    std::lock_guard lock(mutex_);
    refreshers_.push_back(std::move(refresh));
  }

  std::string page() override {
    std::vector<std::function<void()>> refreshers;
    {
      // Copied: a refresher may itself ask for a gauge.
      std::lock_guard lock(mutex_);
      refreshers = refreshers_;
    }
    for (auto& refresh : refreshers) refresh();
    resident_.set(resident_bytes());
    cpu_.set(cpu_seconds());
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  std::mutex mutex_;  // guards the maps below, never an increment
  prometheus::Registry registry_;
  Families<CounterAdapter, prometheus::Counter> counters_;
  Families<GaugeAdapter, prometheus::Gauge> gauges_;
  Families<HistogramAdapter, prometheus::Histogram> histograms_;
  std::vector<std::function<void()>> refreshers_;
  Gauge& resident_;
  Gauge& cpu_;
};

}  // namespace

std::unique_ptr<Metrics> Metrics::create() { return std::make_unique<PrometheusMetrics>(); }

}  // namespace catbird::obs
