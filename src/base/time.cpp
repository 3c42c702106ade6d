// SPDX-License-Identifier: MIT
#include "base/time.hpp"

#include <algorithm>
#include <cstddef>

namespace catbird {
namespace {

constexpr std::int64_t ms_per_second = 1'000;
constexpr std::int64_t ms_per_minute = 60 * ms_per_second;
constexpr std::int64_t ms_per_day = 1'440 * ms_per_minute;
// RFC 3339 has four digits for the year: 0000-01-01T00:00:00.000Z … 9999-12-31T23:59:59.999Z.
constexpr std::int64_t earliest_ms = -62'167'219'200'000;
constexpr std::int64_t latest_ms = 253'402'300'799'999;

struct Date {
  std::int64_t year = 0;
  std::int64_t month = 0;
  std::int64_t day = 0;
};

// Both conversions count years from March, which puts the leap day at the end of a year, and days
// from 0000-03-01: 719,468 of them lie before 1970-01-01. Years are at least 0 here.
constexpr std::int64_t days_before_epoch = 719'468;
constexpr std::int64_t days_per_era = 146'097;  // 400 years

std::int64_t days_from_date(const Date& date) {
  // January and February of year 0 belong to March-year -1: shift everything by one era.
  const std::int64_t year = date.year + 400 - (date.month <= 2 ? 1 : 0);
  const std::int64_t month_from_march = (date.month + 9) % 12;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - days_per_era -
         days_before_epoch;
}

Date date_from_days(std::int64_t days_since_epoch) {
  const std::int64_t days = days_since_epoch + days_before_epoch + days_per_era;
  const std::int64_t era = days / days_per_era;
  const std::int64_t day_of_era = days % days_per_era;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {year_of_era + era * 400 - 400 + (month <= 2 ? 1 : 0), month, day};
}

std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

void put_digits(std::string& text, std::size_t at, std::size_t count, std::int64_t value) {
  for (std::size_t i = count; i > 0; --i, value /= 10) {
    text[at + i - 1] = static_cast<char>('0' + value % 10);
  }
}

/// Reads a text from left to right; after the first mismatch everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::int64_t digits(std::size_t count) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value * 10 + digit();
    return value;
  }
  void expect(std::string_view any_of) {
    if (rest_.empty() || !any_of.contains(rest_.front())) return give_up();
    rest_.remove_prefix(1);
  }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }
  std::int64_t digit() {
    if (!at_digit()) {
      give_up();
      return 0;
    }
    const std::int64_t value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }
  bool ok() const { return ok_; }
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  void give_up() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// Milliseconds of a fraction of any length; further digits are cut off.
std::int64_t read_fraction(Scanner& scanner) {
  if (scanner.peek() != '.') return 0;
  scanner.expect(".");
  std::int64_t value = scanner.digit() * 100;
  for (std::int64_t weight = 10; scanner.at_digit(); weight /= 10) {
    value += scanner.digit() * weight;
  }
  return value;
}

std::optional<std::int64_t> read_offset_ms(Scanner& scanner) {
  const char sign = scanner.peek();
  scanner.expect("Zz+-");
  if (sign == 'Z' || sign == 'z') return 0;
  const std::int64_t hours = scanner.digits(2);
  scanner.expect(":");
  const std::int64_t minutes = scanner.digits(2);
  if (!scanner.ok() || hours > 23 || minutes > 59) return std::nullopt;
  return (hours * 60 + minutes) * ms_per_minute * (sign == '-' ? -1 : 1);
}

}  // namespace

std::string to_rfc3339(Timestamp time) {
  const std::int64_t ms = std::min(std::max(time.value, earliest_ms), latest_ms);
  std::int64_t days = ms / ms_per_day;
  std::int64_t in_day = ms % ms_per_day;
  if (in_day < 0) {
    in_day += ms_per_day;
    --days;
  }
  const Date date = date_from_days(days);
  std::string text = "0000-00-00T00:00:00.000Z";
  put_digits(text, 0, 4, date.year);
  put_digits(text, 5, 2, date.month);
  put_digits(text, 8, 2, date.day);
  put_digits(text, 11, 2, in_day / (60 * ms_per_minute));
  put_digits(text, 14, 2, in_day / ms_per_minute % 60);
  put_digits(text, 17, 2, in_day / ms_per_second % 60);
  put_digits(text, 20, 3, in_day % ms_per_second);
  return text;
}

std::optional<Timestamp> from_rfc3339(std::string_view text) {
  Scanner scanner(text);
  Date date;
  date.year = scanner.digits(4);
  scanner.expect("-");
  date.month = scanner.digits(2);
  scanner.expect("-");
  date.day = scanner.digits(2);
  scanner.expect("Tt");
  const std::int64_t hour = scanner.digits(2);
  scanner.expect(":");
  const std::int64_t minute = scanner.digits(2);
  scanner.expect(":");
  const std::int64_t second = scanner.digits(2);
  const std::int64_t fraction = read_fraction(scanner);
  const auto offset = read_offset_ms(scanner);
  if (!offset || !scanner.complete()) return std::nullopt;
  if (date.month < 1 || date.month > 12 || date.day < 1) return std::nullopt;
  if (date.day > days_in_month(date.year, date.month)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t ms = days_from_date(date) * ms_per_day + (hour * 60 + minute) * ms_per_minute +
                          second * ms_per_second + fraction - *offset;
  // RFC 3339 §5.7: a leap second can only be the last second of a UTC day.
  if (second == 60 && (ms - fraction) % ms_per_day != 0) return std::nullopt;
  if (ms < earliest_ms || ms > latest_ms) return std::nullopt;
  return Timestamp{ms};
}

}  // namespace catbird
