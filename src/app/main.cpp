// SPDX-License-Identifier: MIT
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/node.hpp"
#include "app/orders.hpp"
#include "obs/log.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace catbird;

constexpr int exit_usage = 2;  // wrong configuration or arguments: one line on stderr

int refuse(const std::string& line) {
  std::fprintf(stderr, "catbird-mls-server: %s\n", line.c_str());
  return exit_usage;
}

app::Environment environment(std::map<std::string, std::string> file) {
  return [file = std::move(file)](std::string_view name) -> std::optional<std::string> {
    const std::string key(name);
    if (const char* value = std::getenv(key.c_str())) return std::string(value);
    auto it = file.find(key);
    if (it == file.end()) return std::nullopt;
    return it->second;
  };
}

int serve(const app::Config& config) {
  obs::configure_log(config.log_directives);
  auto node = app::Node::start(config);
  if (!node) return refuse(node.error().detail);
  return (*node)->run();
}

struct Arguments {
  std::string env_file;
  app::TokenRequest token;
  std::string path;
  bool replace = false;
  storage::Roles roles;
  std::string from;
  app::Order order;
};

void describe(CLI::App& cli, Arguments& arguments) {
  cli.set_version_flag("--version", CATBIRD_VERSION);
  cli.require_subcommand(0, 1);
  cli.add_option(
      "--env-file", arguments.env_file,
      "File of KEY=VALUE lines; the environment wins over it (default: .env if present)");
  cli.footer(
      "\nConfiguration comes from the environment (docs/operations.md has every variable):\n"
      "  SERVICE_DID   this server's DID, e.g. did:web:mls.example.org (required)\n"
      "  DATABASE_URL  sqlite:PATH (default: ./data/catbird.db) or postgresql://…\n"
      "  SERVER_HOST, SERVER_PORT   where to listen (default: 127.0.0.1:3000)\n"
      "  CATBIRD_DEV=true, JWT_SECRET   development tokens (never in production)\n"
      "\nExit codes: 0 stopped as asked, 1 the database failed, 2 wrong configuration.\n");
  cli.add_subcommand("serve", "Run the server (also without any command)");
  auto* token = cli.add_subcommand("token", "Print a development token (CATBIRD_DEV=true)");
  token->add_option("--did", arguments.token.did, "Who calls: a DID, or DID#device")->required();
  token->add_option("--lxm", arguments.token.lxm, "The one method it is good for")->required();
  token->add_option("--ttl", arguments.token.ttl_seconds, "Seconds until it expires")
      ->check(CLI::Range(1, 300))
      ->capture_default_str();
  cli.add_subcommand("healthcheck", "Ask the local server whether it is ready: exit 0 or 1");
  auto* backup = cli.add_subcommand("backup", "Copy the database, also while the server runs");
  backup->add_option("PATH", arguments.path, "New file; the secret goes to PATH.secret")
      ->required();
  auto* restore =
      cli.add_subcommand("restore", "Put a backup in place; the server must be stopped");
  restore->add_option("PATH", arguments.path, "A file made by `backup`")->required();
  restore->add_flag("--replace", arguments.replace,
                    "Replace an existing database (it is kept as *.before-restore)");
  auto* migrate = cli.add_subcommand(
      "migrate", "Bring a PostgreSQL schema up to date, as the role that owns it");
  migrate->add_option("--app", arguments.roles.app,
                      "Role of the servers, to be granted what they do");
  migrate->add_option("--cleanup", arguments.roles.cleanup, "Role of the retention jobs, likewise");
  auto* import = cli.add_subcommand(
      "import-predecessor", "Copy what the Rust server's database holds; stop both servers first");
  import->add_option("--from", arguments.from, "postgresql://… of the predecessor's database")
      ->required();
  const auto add_order = [&](const char* name, const char* text) {
    auto* command = cli.add_subcommand(name, text);
    command->add_option("DID", arguments.order.did, "The user")->required();
    command->add_option("--reason", arguments.order.reason, "Goes on record")->required();
  };
  add_order("suspend", "Refuse every request of a user, and end its streams");
  add_order("lift", "End a suspension");
  add_order("erase", "Take a user out of all conversations and forget what is kept for it");
  cli.add_subcommand("acts", "Print who is suspended and what was done to users");
  cli.add_subcommand("cleanup", "Take away what has expired from PostgreSQL, once");
}

int run(int argc, char** argv) {
  CLI::App cli{
      "Catbird MLS Server: ordering and delivery for end-to-end encrypted group chat on "
      "the AT Protocol.",
      "catbird-mls-server"};
  Arguments arguments;
  describe(cli, arguments);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? 0 : exit_usage;
  }

  const bool named = !arguments.env_file.empty();
  auto file = app::read_env_file(named ? arguments.env_file : ".env");
  if (named && !file) return refuse("cannot read --env-file " + arguments.env_file);
  auto config = app::read_config(environment(file.value_or(std::map<std::string, std::string>{})));
  if (!config) return refuse(config.error().detail);

  for (const auto* order : {"suspend", "lift", "erase", "acts"}) {
    if (!cli.got_subcommand(order)) continue;
    arguments.order.what = order;
    auto answer = app::place_order(*config, arguments.order);
    if (!answer) return refuse(answer.error().detail);
    std::printf("%s\n", answer->c_str());
    return 0;
  }
  Result<void> done{};
  if (cli.got_subcommand("token")) {
    done = app::print_token(*config, arguments.token);
  } else if (cli.got_subcommand("healthcheck")) {
    return app::healthcheck(*config);
  } else if (cli.got_subcommand("backup")) {
    done = app::backup(*config, arguments.path);
  } else if (cli.got_subcommand("restore")) {
    done = app::restore(*config, arguments.path, arguments.replace);
  } else if (cli.got_subcommand("migrate")) {
    done = app::migrate(*config, arguments.roles);
  } else if (cli.got_subcommand("import-predecessor")) {
    done = app::import_predecessor(*config, arguments.from);
  } else if (cli.got_subcommand("cleanup")) {
    done = app::cleanup(*config);
  } else {
    return serve(*config);
  }
  return done ? 0 : refuse(done.error().detail);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "catbird-mls-server: %s\n", error.what());
    return 1;
  }
}
