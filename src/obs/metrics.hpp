// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

// The Prometheus page: names and labels of the predecessor (docs/operations.md lists them), with
// real values. Counters and histograms are thread-safe; the page is text format 0.0.4.

namespace catbird::obs {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double amount) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

/// One registry per process, built by app/ and passed down. Asking twice for the same name and
/// labels gives the same object; `labels` is "k=v,k2=v2" with values that need no escaping.
class Metrics {
 public:
  static std::unique_ptr<Metrics> create();
  virtual ~Metrics() = default;
  virtual Counter& counter(std::string_view name, std::string_view help,
                           std::string_view labels = {}) = 0;
  virtual Gauge& gauge(std::string_view name, std::string_view help,
                       std::string_view labels = {}) = 0;
  /// Buckets in seconds, fixed: 0.0005 … 10.
  virtual Histogram& histogram(std::string_view name, std::string_view help,
                               std::string_view labels = {}) = 0;
  /// Called before each page to refresh gauges that are read, not pushed.
  virtual void on_collect(std::function<void()> refresh) = 0;
  virtual std::string page() = 0;
};

}  // namespace catbird::obs
