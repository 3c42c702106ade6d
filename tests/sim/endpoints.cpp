// SPDX-License-Identifier: MIT
// What xrpc/ does between parsing and encoding, method by method.
#include "core/limits.hpp"
#include "sim/node.hpp"
#include "support/rows.hpp"

#include <algorithm>
#include <utility>

namespace catbird::sim {

Answer SimNode::stamped() const {
  Answer answer;
  answer.now = setting_.clock.now();
  return answer;
}

Answer SimNode::failure(Error error) const {
  auto answer = stamped();
  answer.error = std::move(error);
  return answer;
}

void SimNode::serve(Request request, Done done) {
  using enum Request::What;
  switch (request.what) {
    case command:
      return this->command(std::move(request), std::move(done));
    case page:
      return this->page(std::move(request), std::move(done));
    case list:
      return this->list(std::move(request), std::move(done));
    case commits:
      return this->commits(std::move(request), std::move(done));
    case group_info:
      return this->group_info(std::move(request), std::move(done));
    case welcome:
      return this->welcome(std::move(request), std::move(done));
    case confirm:
      return this->confirm(std::move(request), std::move(done));
    case publish:
      return this->publish(std::move(request), std::move(done));
    case reserve:
      return this->reserve(std::move(request), std::move(done));
  }
}

void SimNode::access(const Request& request,
                     std::move_only_function<void(Result<core::Access>)> seen) {
  gateway_->access(convo_name(request.convo), request.caller.user,
                   connections().now() + request.patience, std::move(seen));
}

template <class T>
void SimNode::write(std::function<Result<T>(storage::UserWriter&)> work,
                    std::move_only_function<void(Result<T>)> done) {
  auto value = std::make_shared<Result<T>>(fail(Errc::retry));
  actors::CommitLane::JobEntry entry;
  entry.home = setting_.lanes.workers[0];
  entry.job.run = [value, work = std::move(work)](storage::UserWriter& writer) -> Result<void> {
    *value = work(writer);
    if (!*value) return std::unexpected(value->error());
    return {};
  };
  entry.done = [value, done = std::move(done)](storage::UserResult result) mutable {
    using enum storage::CommitStatus;
    if (result.status == committed) {
      done(std::move(*value));
    } else if (result.status == rejected) {
      done(std::unexpected(std::move(result.error)));
    } else {
      done(fail(Errc::retry));
    }
  };
  lane_.submit(std::move(entry));
}

// A commit's key packages are looked up before it is decided, as resolve_parts() does.
void SimNode::command(Request request, Done done) {
  auto ask = [this](Request asked, Done answer) {
    gateway_->ask(convo_name(asked.convo), std::move(asked.command),
                  connections().now() + asked.patience,
                  [this, answer = std::move(answer)](Result<core::Outcome> outcome) mutable {
                    if (!outcome) return answer(failure(outcome.error()));
                    auto out = stamped();
                    out.outcome = std::move(*outcome);
                    answer(std::move(out));
                  });
  };
  auto* parts = const_cast<core::GroupParts*>(parts_of(request.command));
  if (parts == nullptr || parts->key_packages.empty()) {
    ask(std::move(request), std::move(done));
    return;
  }
  readers_.run([this, ask, request = std::move(request),
                done = std::move(done)](storage::Reader& reader) mutable {
    auto& uses = const_cast<core::GroupParts*>(parts_of(request.command))->key_packages;
    std::vector<Bytes> refs;
    for (const auto& use : uses) refs.push_back(use.ref);
    auto facts = reader.find_key_packages(refs, setting_.clock.now());
    if (!facts) return done(failure(facts.error()));
    for (auto& use : uses) {
      const auto known = std::ranges::find(*facts, use.ref, &storage::KeyPackageFacts::ref);
      use.reserved_to_caller = known != facts->end() && !known->consumed &&
                               (known->last_resort || known->reserved_by == request.caller.user);
    }
    ask(std::move(request), std::move(done));
  });
}

void SimNode::page(Request request, Done done) {
  auto seen = [this, request, done = std::move(done)](Result<core::Access> access) mutable {
    if (!access) return done(failure(access.error()));
    readers_.run([this, request = std::move(request), access = *access,
                  done = std::move(done)](storage::Reader& reader) mutable {
      auto rows =
          test::rows_of(reader.page({.convo = convo_name(request.convo),
                                     .after = std::max(access.after, core::Seq(request.since)),
                                     .until = access.until,
                                     .rows_max = request.limit,
                                     .bytes_max = core::page_bytes_max}));
      page_read(std::move(request), access, std::move(rows), std::move(done));
    });
  };
  access(request, std::move(seen));
}

void SimNode::page_read(Request request, core::Access seen, Result<std::vector<storage::Row>> rows,
                        Done done) {
  if (!rows) return done(failure(rows.error()));
  auto answer = stamped();
  answer.rows = std::move(*rows);
  if (!seen.active || answer.rows.empty() || answer.rows.back().seq <= seen.read_seq) {
    return done(std::move(answer));
  }
  core::Command mark;
  mark.caller = request.caller;
  mark.what = core::MarkRead{answer.rows.back().seq};
  gateway_->ask(convo_name(request.convo), std::move(mark), connections().now() + request.patience,
                [this, answer = std::move(answer),
                 done = std::move(done)](Result<core::Outcome> marked) mutable {
                  if (!marked && marked.error().code != Errc::not_member) {
                    return done(failure(marked.error()));
                  }
                  done(std::move(answer));
                });
}

void SimNode::list(Request request, Done done) {
  readers_.run([this, request = std::move(request),
                done = std::move(done)](storage::Reader& reader) mutable {
    const auto user = user_of(request.caller.user);
    auto page = reader.convos({.user = request.caller.user,
                               .after = std::nullopt,
                               .tag = [user](const core::ConvoId&) { return tag_of(user); }});
    if (!page) return done(failure(page.error()));
    auto answer = stamped();
    answer.convos = std::move(*page);
    done(std::move(answer));
  });
}

void SimNode::commits(Request request, Done done) {
  auto seen = [this, request, done = std::move(done)](Result<core::Access> access) mutable {
    if (!access) return done(failure(access.error()));
    readers_.run([this, request = std::move(request), access = *access,
                  done = std::move(done)](storage::Reader& reader) mutable {
      auto rows = reader.commits({.convo = convo_name(request.convo),
                                  .from = core::Epoch(request.since),
                                  .to = core::Epoch(request.limit),
                                  .after = access.after,
                                  .until = access.until,
                                  .bytes_max = core::page_bytes_max});
      if (!rows) return done(failure(rows.error()));
      auto answer = stamped();
      answer.rows = std::move(*rows);
      done(std::move(answer));
    });
  };
  access(request, std::move(seen));
}

void SimNode::group_info(Request request, Done done) {
  auto seen = [this, request, done = std::move(done)](Result<core::Access> access) mutable {
    if (!access || !access->active) {
      auto error = access ? Error{Errc::unauthorized, {}} : access.error();
      if (error.code == Errc::not_member) error.code = Errc::unauthorized;
      return done(failure(std::move(error)));
    }
    readers_.run([this, request = std::move(request), access = *access,
                  done = std::move(done)](storage::Reader& reader) mutable {
      auto info = reader.group_info(convo_name(request.convo));
      if (!info) return done(failure(info.error()));
      if (!*info || (*info)->epoch < access.epoch) {
        return done(failure({Errc::group_info_unavailable, {}}));
      }
      auto answer = stamped();
      answer.info = std::move(*info);
      done(std::move(answer));
    });
  };
  access(request, std::move(seen));
}

void SimNode::welcome(Request request, Done done) {
  auto seen = [this, request, done = std::move(done)](Result<core::Access> access) mutable {
    if (!access) return done(failure(access.error()));
    if (!access->active) return done(failure({Errc::not_member, {}}));
    readers_.run([this, request = std::move(request),
                  done = std::move(done)](storage::Reader& reader) mutable {
      auto answer = stamped();
      auto found = reader.welcome(convo_name(request.convo), request.caller, answer.now);
      if (!found) return done(failure(found.error()));
      if (!*found) return done(failure({Errc::welcome_not_found, {}}));
      answer.welcome = std::move(*found);
      done(std::move(answer));
    });
  };
  access(request, std::move(seen));
}

void SimNode::confirm(Request request, Done done) {
  auto seen = [this, request, done = std::move(done)](Result<core::Access> access) mutable {
    if (!access) return done(failure(access.error()));
    write<bool>(
        [convo = convo_name(request.convo), device = request.caller, now = setting_.clock.now()](
            storage::UserWriter& writer) { return writer.confirm_welcome(convo, device, now); },
        [this, done = std::move(done)](Result<bool> confirmed) mutable {
          done(confirmed ? stamped() : failure(confirmed.error()));
        });
  };
  access(request, std::move(seen));
}

void SimNode::publish(Request request, Done done) {
  write<bool>(
      [caller = request.caller, packages = request.packages,
       now = setting_.clock.now()](storage::UserWriter& writer) -> Result<bool> {
        for (const auto& package : packages) {
          auto stored = writer.publish(caller, package, now);
          if (!stored) return std::unexpected(stored.error());
          if (*stored == storage::PublishResult::pool_full) {
            return fail(Errc::too_many_key_packages);
          }
        }
        return true;
      },
      [this, done = std::move(done)](Result<bool> stored) mutable {
        done(stored ? stamped() : failure(stored.error()));
      });
}

void SimNode::reserve(Request request, Done done) {
  using Packages = std::vector<storage::ReservedKeyPackage>;
  write<Packages>(
      [caller = request.caller.user, target = request.target,
       now = setting_.clock.now()](storage::UserWriter& writer) {
        return writer.reserve(
            {.caller = caller, .target = target, .device = std::nullopt, .suite = 1, .now = now});
      },
      [this, done = std::move(done)](Result<Packages> packages) mutable {
        if (!packages) return done(failure(packages.error()));
        auto answer = stamped();
        answer.packages = std::move(*packages);
        done(std::move(answer));
      });
}

}  // namespace catbird::sim
