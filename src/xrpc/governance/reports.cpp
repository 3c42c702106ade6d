// SPDX-License-Identifier: MIT
// reportMember, getReports, resolveReport. What a report says is encrypted for the admins.
#include "core/limits.hpp"
#include "storage/tables/conversations.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/governance/standing.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>

namespace catbird::xrpc {

using storage::ReportRecord;
using storage::where;

namespace {

constexpr std::int64_t reports_max = 100;  // lexicon getReports.limit
constexpr std::int64_t reports_default = 50;

Result<std::optional<std::string>> message_ids(const Fields& fields) {
  auto ids = fields.maybe_texts("messageIds");
  if (!ids) return std::unexpected(ids.error());
  if (ids->size() > core::report_messages_max) {
    return fail(Errc::batch_too_large, "messageIds names more than 20 messages");
  }
  std::optional<std::string> lines;
  for (const auto& id : *ids) {
    if (id.empty() || id.size() > core::record_id_bytes_max || !printable(id)) {
      return fail(Errc::invalid_request, "messageIds holds something that is no message id");
    }
    if (lines) {
      *lines += '\n';
    } else {
      lines.emplace();
    }
    *lines += id;
  }
  return lines;
}

Result<ReportRecord> parse(const Fields& fields, const core::Did& reporter, Timestamp now) {
  ReportRecord report;
  report.id = new_timed_id(now);
  report.reporter = reporter;
  report.status = "pending";
  report.at = now;
  auto convo = convo_id_of(fields);
  if (!convo) return std::unexpected(convo.error());
  report.convo = std::move(*convo);
  auto reported = user_of(fields, "reportedDid");
  if (!reported) return std::unexpected(reported.error());
  report.reported = std::move(*reported);
  if (report.reported == reporter) return fail(Errc::cannot_report_self);
  auto category = text_within(fields, "category", core::category_bytes_max);
  if (!category) return std::unexpected(category.error());
  if (!printable(*category)) return fail(Errc::invalid_request, "category is not printable");
  report.category = std::move(*category);
  auto content = fields.bytes("encryptedContent");
  if (!content) return std::unexpected(content.error());
  if (content->empty() || content->size() > core::report_bytes_max) {
    return fail(Errc::invalid_request, "encryptedContent must have 1 to 51200 bytes");
  }
  report.content = std::move(*content);
  auto ids = message_ids(fields);
  if (!ids) return std::unexpected(ids.error());
  report.message_ids = std::move(*ids);
  return report;
}

void write_report(JsonWriter& json, const ReportRecord& report) {
  json.open().key("id").text(report.id);
  json.key("reporterDid").text(report.reporter.value);
  json.key("reportedDid").text(report.reported.value);
  json.key("category").text(report.category);
  json.key("encryptedContent").bytes(report.content);
  json.key("createdAt").text(to_rfc3339(report.at));
  json.key("status").text(report.status);
  if (report.resolved_by) json.key("resolvedBy").text(report.resolved_by->value);
  if (report.resolved_at) json.key("resolvedAt").text(to_rfc3339(*report.resolved_at));
  json.close();
}

Result<std::optional<ReportRecord>> find_report(storage::TableReader& tables,
                                                const std::string& id) {
  return storage::select_one<ReportRecord>(tables, {.where = {where("id", id)}});
}

struct Resolution {
  std::string id;
  core::Did by;
  std::string action;
  std::optional<std::string> notes;
  Timestamp at;
};

Result<void> resolve(storage::TableWriter& tables, const Resolution& resolution) {
  auto report = find_report(tables, resolution.id);
  if (!report) return std::unexpected(report.error());
  if (!*report) return fail(Errc::report_not_found);
  if ((*report)->status != "pending") return fail(Errc::already_resolved);
  auto after = **report;
  after.status = resolution.action == "dismissed" ? "dismissed" : "resolved";
  after.action = resolution.action;
  after.notes = resolution.notes;
  after.resolved_by = resolution.by;
  after.resolved_at = std::max(resolution.at, after.at);
  return replace(tables, **report, after);
}

}  // namespace

Task<http::Response> handle_report_member(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto report = parse(body->fields(), call.caller.user, call.services->clock.now());
  if (!report) co_return error_response(report.error());
  auto loading =
      load_for(call.services, report->convo, call.caller.user, Needs::member, Errc::not_member);
  auto convo = co_await loading;
  if (!convo) co_return error_response(convo.error());
  if (!role_in(*convo, report->reported).member) {
    co_return error_response(Error{Errc::target_not_member, {}, {}, 0});
  }
  auto writing = add_record(call.services, *report);
  auto done = co_await writing;
  if (!done) co_return error_response(done.error());
  JsonWriter json;
  json.open().key("reportId").text(report->id);
  json.key("submittedAt").text(to_rfc3339(report->at)).close();
  co_return json_response(std::move(json));
}

// Moderators may look, admins decide.
Task<http::Response> handle_get_reports(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  auto limit = query->integer("limit", 1, reports_max);
  if (!limit) co_return error_response(limit.error());
  storage::Selection wanted{.where = {},
                            .order = "at",
                            .descending = true,
                            .rows_max = static_cast<std::size_t>(limit->value_or(reports_default))};
  if (const auto status = query->text("status")) {
    wanted.where.push_back(where("status", *status));
  }
  auto reading = list_for<ReportRecord>(call.services, std::move(*convo), call.caller.user,
                                        Needs::moderator, Errc::not_admin, std::move(wanted));
  auto reports = co_await reading;
  if (!reports) co_return error_response(reports.error());
  JsonWriter json;
  json.open().key("reports").open_list();
  for (const auto& report : *reports) write_report(json, report);
  json.close_list().close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_resolve_report(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto& fields = body->fields();
  auto id = text_within(fields, "reportId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto action = maybe_one_of(fields, "action", {"removed_member", "dismissed", "no_action"});
  if (!action) co_return error_response(action.error());
  if (!*action) {
    co_return error_response(Error{Errc::invalid_request, "action is missing", {}, 0});
  }
  auto notes = maybe_text_within(fields, "notes", core::notes_bytes_max);
  if (!notes) co_return error_response(notes.error());
  auto reading = read<void>(
      call.services, [id = *id, user = call.caller.user](storage::Reader& reader) -> Result<void> {
        auto report = find_report(reader.tables(), id);
        if (!report) return std::unexpected(report.error());
        if (!*report) return fail(Errc::report_not_found);
        return check_role_at(reader, (*report)->convo, user, Needs::admin, Errc::not_admin,
                             Errc::report_not_found);
      });
  auto allowed = co_await reading;
  if (!allowed) co_return error_response(allowed.error());
  auto writing = write<void>(
      call.services,
      [resolution = Resolution{.id = std::move(*id),
                               .by = call.caller.user,
                               .action = std::move(**action),
                               .notes = std::move(*notes),
                               .at = call.services->clock.now()}](storage::UserWriter& writer) {
        return resolve(writer.tables(), resolution);
      });
  auto done = co_await writing;
  if (!done) co_return error_response(done.error());
  JsonWriter json;
  json.open().key("ok").boolean(true).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
