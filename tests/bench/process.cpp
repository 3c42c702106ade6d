// SPDX-License-Identifier: MIT
#include "bench/process.hpp"

#include "bench/http_load.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <libpq-fe.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace catbird::bench {

namespace {

constexpr std::chrono::seconds start_max{60};  // against hangs
constexpr std::chrono::milliseconds poll_pause{2};
using Clock = std::chrono::steady_clock;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Times {
  std::string parent;
  double cpu_seconds = 0;  // user and system
};

/// Of a process, by proc(5). One that has ended has none.
Times times_of(const std::string& pid) {
  const auto stat = read_file("/proc/" + pid + "/stat");
  const auto name_end = stat.rfind(')');
  Times times;
  if (name_end == std::string::npos) return times;
  std::istringstream fields(stat.substr(name_end + 2));
  std::string skipped;
  fields >> skipped >> times.parent;  // fields 3 and 4
  constexpr int before_utime = 9;     // utime is field 14
  for (int i = 0; i < before_utime; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  times.cpu_seconds = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return times;
}

/// The output of a command.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4096> chunk{};
  while (const auto size = std::fread(chunk.data(), 1, chunk.size(), pipe.get())) {
    text.append(chunk.data(), size);
  }
  return text;
}

void run_sql(const std::string& url, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()),
                                                                &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQresultErrorMessage(result.get()));
  }
}

bool answers_ready(std::uint16_t port) {
  bool ready = false;
  try {
    ready = !http_get(port, "/health/ready").empty();
  } catch (const std::runtime_error&) {
    ready = false;  // a 503, or nobody there
  }
  return ready;
}

}  // namespace

Folder::Folder() {
  auto pattern = (std::filesystem::temp_directory_path() / "catbird-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  path_ = pattern;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Server::Server(std::string binary, std::string folder, Variables variables)
    : binary_(std::move(binary)), folder_(std::move(folder)), variables_(std::move(variables)) {
  std::filesystem::create_directories(folder_);
  variables_.insert({"SERVER_PORT", "0"});
  variables_.insert({"RUST_LOG", "info"});
  variables_.insert({"CATBIRD_TOKEN_JOURNAL", folder_ + "/tokens"});
}

Server::~Server() { kill(); }

void Server::spawn() {
  std::vector<std::string> lines;
  lines.reserve(variables_.size());
  for (const auto& [name, value] : variables_) lines.push_back(fmt::format("{}={}", name, value));
  std::vector<char*> environment;
  environment.reserve(lines.size() + 1);
  for (auto& line : lines) environment.push_back(line.data());
  environment.push_back(nullptr);
  const auto log = folder_ + "/log";
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // not longer than the bench
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  std::array<char*, 3> arguments = {binary_.data(), nullptr, nullptr};
  if (::chdir(folder_.c_str()) == 0)
    ::execve(binary_.c_str(), arguments.data(), environment.data());
  ::_exit(127);
}

bool Server::read_port() {
  const auto log = read_file(folder_ + "/log");
  const auto at = log.find("listening on ");
  if (at == std::string::npos || log.find('\n', at) == std::string::npos) return false;
  port_ =
      static_cast<std::uint16_t>(std::strtoul(log.c_str() + log.find(':', at) + 1, nullptr, 10));
  return port_ != 0;
}

double Server::start() {
  std::filesystem::remove(folder_ + "/log");
  const auto began = Clock::now();
  spawn();
  for (bool listening = false;;) {
    listening = listening || read_port();
    if (listening && answers_ready(port_)) {
      return std::chrono::duration<double>(Clock::now() - began).count();
    }
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || Clock::now() - began > start_max) {
      throw std::runtime_error("the server did not start:\n" + read_file(folder_ + "/log"));
    }
    std::this_thread::sleep_for(poll_pause);
  }
}

int Server::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

bool Server::stop() {
  if (pid_ < 0) return false;
  ::kill(pid_, SIGTERM);
  const int status = wait();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void Server::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

double Server::cpu_seconds() const { return times_of(std::to_string(pid_)).cpu_seconds; }

std::size_t Server::rss_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view name = "VmRSS:";
    if (line.starts_with(name)) return std::strtoul(line.c_str() + name.size(), nullptr, 10) * 1024;
  }
  throw std::runtime_error("no VmRSS of the server");
}

double Server::metric(const std::string& family) const {
  const auto page = http_get(port_, "/metrics");
  double sum = 0;
  for (std::size_t at = 0; (at = page.find("\n" + family, at)) != std::string::npos; ++at) {
    const auto line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

Postgres::Postgres(std::string script, std::string folder, const Variables& variables)
    : script_(std::move(script)), folder_(std::move(folder)) {
  std::string command;
  for (const auto& [name, value] : variables)
    command += fmt::format("export {}='{}'; ", name, value);
  url_ = output_of(fmt::format("{}'{}' start '{}'", command, script_, folder_));
  url_.erase(url_.find_last_not_of('\n') + 1);
  if (!url_.starts_with("postgresql://")) throw std::runtime_error("PostgreSQL did not start");
}

Postgres::~Postgres() {
  const auto command = fmt::format("'{}' remove '{}'", script_, folder_);
  if (std::system(command.c_str()) != 0) fmt::print(stderr, "not removed: {}\n", folder_);
}

std::string Postgres::url(const std::string& name) const {
  return url_.substr(0, url_.rfind('/') + 1) + name;
}

std::string Postgres::create(const std::string& name, const std::string& from) {
  run_sql(url_,
          fmt::format("CREATE DATABASE {} TEMPLATE {}", name, from.empty() ? "template0" : from));
  return url(name);
}

void Postgres::settle(const std::string& name) {
  run_sql(url(name), "VACUUM ANALYZE");
  run_sql(url(name), "CHECKPOINT");
}

double Postgres::cpu_seconds() const {
  const auto file = read_file(folder_ + "/data/postmaster.pid");
  const auto postmaster = file.substr(0, file.find('\n'));
  auto sum = times_of(postmaster).cpu_seconds;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto times = times_of(pid);
    if (times.parent == postmaster) sum += times.cpu_seconds;
  }
  return sum;
}

std::string http_get(std::uint16_t port, const std::string& path) {
  std::string body;
  const auto result = run_load(
      {.port = port, .clients = 1, .requests = {"GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"}},
      [&](const Answer& answer) { body = answer.body; });
  if (result.failed() != 0) throw std::runtime_error(path + ": " + result.first_failure);
  return body;
}

}  // namespace catbird::bench
