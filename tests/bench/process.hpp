// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace catbird::bench {

using Variables = std::map<std::string, std::string>;

/// A scratch folder, removed at the end; readable for the user that PostgreSQL runs as.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A catbird-mls-server of this run. Killed at the end if it was not stopped.
class Server {
 public:
  /// `folder`: for its log and files. The environment is `variables` and nothing else that the
  /// server reads.
  Server(std::string binary, std::string folder, Variables variables);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Gives the seconds until /health/ready said so. Throws std::runtime_error if it never does.
  double start();
  /// SIGTERM; true if it exited with 0.
  bool stop();
  void kill();

  std::uint16_t port() const { return port_; }
  double cpu_seconds() const;  // user and system, of all its threads
  std::size_t rss_bytes() const;
  /// The sum of a metric's family on the server's page.
  double metric(const std::string& family) const;

 private:
  void spawn();
  bool read_port();
  int wait();

  std::string binary_, folder_;
  Variables variables_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// A PostgreSQL server by script/postgres, removed at the end.
class Postgres {
 public:
  /// `variables`: of its environment.
  Postgres(std::string script, std::string folder, const Variables& variables = {});
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  /// A new database, as a copy of `from` if that is not empty. Gives its URL.
  std::string create(const std::string& name, const std::string& from = "");
  /// Statistics and a checkpoint, so that neither falls into a measurement.
  void settle(const std::string& name);
  double cpu_seconds() const;  // of all its processes that run now

 private:
  std::string url(const std::string& name) const;

  std::string script_, folder_, url_;
};

/// One GET on a connection of its own. Gives the body of a 200 answer, else throws.
std::string http_get(std::uint16_t port, const std::string& path);

/// Answers any DID with a document of one key, as a PLC directory would.
class DidDirectory {
 public:
  explicit DidDirectory(std::string multikey);
  ~DidDirectory();
  DidDirectory(const DidDirectory&) = delete;
  DidDirectory& operator=(const DidDirectory&) = delete;
  std::string url() const;

 private:
  void serve();
  std::string multikey_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace catbird::bench
