// SPDX-License-Identifier: MIT
#include "obs/catalogue.hpp"

#include <initializer_list>

namespace catbird::obs {
namespace {

enum class Kind { counter, gauge, histogram };

struct Entry {
  Kind kind;
  std::string_view name, help, labels;
};

using enum Kind;

// Names, types and label names are the predecessor's; scrapers and alerts depend on them.
constexpr std::initializer_list<Entry> entries{
    {counter, "http_requests_total", "HTTP requests", "method=getConvos,status=200"},
    {histogram, "http_request_duration_seconds", "From the parsed request to the answer",
     "method=getConvos"},
    {gauge, "database_connections_active", "Open database connections", ""},
    {counter, "database_queries_total", "Database operations", "operation=commit"},
    {histogram, "database_query_duration_seconds", "Duration of a database operation",
     "operation=commit"},
    {counter, "mls_messages_sent_total", "Messages accepted", ""},
    {counter, "mls_groups_created_total", "Conversations created", ""},
    {counter, "mls_members_added_total", "Members added to conversations", ""},
    {counter, "block_checks_total", "Changes of a membership that Bluesky blocks were read for",
     "outcome=clear"},
    {counter, "actor_spawns_total", "Actors started", "actor_type=conversation_actor"},
    {counter, "actor_stops_total", "Actors stopped", "actor_type=conversation_actor,reason=idle"},
    {counter, "actor_restarts_total", "Actors reloaded",
     "actor_type=conversation_actor,reason=failed"},
    {gauge, "actor_mailbox_depth", "Letters waiting in mailboxes", "actor_type=conversation_actor"},
    {histogram, "actor_message_duration_seconds", "Time from mailbox to reply",
     "actor_type=conversation_actor,message_type=SendMessage"},
    {counter, "actor_message_drops_total", "Letters dropped unread",
     "actor_type=conversation_actor,reason=deadline"},
    {counter, "actor_mailbox_full_events_total", "Letters refused by a full mailbox", ""},
    {histogram, "epoch_increment_duration_seconds", "Time to commit a new epoch", ""},
    {counter, "epoch_conflicts_total", "Commits and messages refused for a stale epoch", ""},
    {gauge, "realtime_queue_depth", "Events waiting for subscribers", ""},
    {counter, "fanout_operations_total", "Deliveries to subscribers",
     "provider=sse,status=success"},
    {histogram, "envelope_write_duration_seconds", "Time to store one message", ""},
    {counter, "cursor_operations_total", "Cursor reads and writes",
     "operation=update,status=success"},
    {counter, "rate_limit_drops_total", "Requests refused by a rate limit", "endpoint=none"},
    {gauge, "event_stream_size_bytes", "Bytes waiting for subscribers", ""},
    {gauge, "active_sse_connections", "Open event streams", ""},
};

}  // namespace

void describe_families(Metrics& metrics) {
  for (const Entry& entry : entries) {
    switch (entry.kind) {
      case counter:
        metrics.counter(entry.name, entry.help, entry.labels);
        break;
      case gauge:
        metrics.gauge(entry.name, entry.help, entry.labels);
        break;
      case histogram:
        metrics.histogram(entry.name, entry.help, entry.labels);
        break;
    }
  }
}

}  // namespace catbird::obs
