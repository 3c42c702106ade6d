// SPDX-License-Identifier: MIT
#pragma once

#include "obs/metrics.hpp"

#include <map>
#include <string>

namespace catbird::sim {

/// Counters that can be read, and cost nothing to make at every start of a simulated process.
class SimMetrics final : public obs::Metrics {
 public:
  obs::Counter& counter(std::string_view name, std::string_view, std::string_view labels) override {
    return counters_[std::string(name) + "{" + std::string(labels)];
  }
  obs::Gauge& gauge(std::string_view, std::string_view, std::string_view) override {
    return gauge_;
  }
  obs::Histogram& histogram(std::string_view, std::string_view, std::string_view) override {
    return histogram_;
  }
  void on_collect(std::function<void()>) override {}
  std::string page() override { return {}; }

  /// Over all labels that contain `label`.
  double total(std::string_view name, std::string_view label = {}) const {
    double sum = 0;
    for (const auto& [key, counter] : counters_) {
      const auto brace = key.find('{');
      if (key.substr(0, brace) == name && key.find(label, brace) != std::string::npos) {
        sum += counter.value;
      }
    }
    return sum;
  }

 private:
  struct Count final : obs::Counter {
    void add(double amount) override { value += amount; }
    double value = 0;
  };
  struct NoGauge final : obs::Gauge {
    void set(double) override {}
    void add(double) override {}
  };
  struct NoHistogram final : obs::Histogram {
    void observe(double) override {}
  };

  std::map<std::string, Count> counters_;
  NoGauge gauge_;
  NoHistogram histogram_;
};

}  // namespace catbird::sim
