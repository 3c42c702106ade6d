#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Histories with one planted fault each: every one must be found, under its name, and a correct history must
pass. A Story is a small correct server that writes down both sides; a test then spoils one of them."""

import hashlib
import io
import json
import pathlib
import sqlite3
import sys
import tempfile
import unittest
from contextlib import redirect_stdout

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_history import main  # noqa: E402

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "src/storage/sqlite/migrations/0001_initial.sql"


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Story:
    def __init__(self):
        self.events, self.time, self.count, self.rows = [], 0, 0, []
        self.epoch, self.members, self.windows, self.keys = 0, {}, {}, {}
        self.packages, self.recipients = {}, []
        self.invokes, self.first_seq = {}, 1

    def tick(self):
        self.time += 10
        return self.time

    def begin(self, op, user="a", **ask):
        self.count += 1
        self.events.append({"e": "invoke", "n": self.count, "t": self.tick(), "op": op, "user": user, **ask})
        self.invokes[self.count] = self.events[-1]
        return self.count

    def end(self, n, outcome="ok", **answer):
        self.events.append({"e": outcome, "n": n, "t": self.tick(), **answer})
        return self.events[-1]

    def create(self, *members):
        n = self.begin("create", convo="c1", key="k0", members=list(members), epoch=0)
        for user in ("a", *members):
            self.members[user] = [0, 0, None]
        return self.end(n, epoch=0)

    def store_row(self, user, kind, body, **extra):
        row = {"seq": len(self.rows) + 1, "epoch": self.epoch, "kind": kind, "id": sha(body)[:26], "base": None,
               "user": user, "body": body, **extra}
        self.rows.append(row)
        return row

    def send(self, user="a", end="ok", stored=True):
        body = f"message {self.count}"
        n = self.begin("send", user, convo="c1", id=sha(body)[:26], epoch=self.epoch, sha=sha(body))
        row = self.store_row(user, 1, body) if stored else None
        if end == "ok":
            self.end(n, seq=row["seq"], epoch=row["epoch"])
        elif end:
            self.end(n, end, **({"status": 400, "error": "InvalidRequest"} if end == "fail" else {}))
        return row

    def commit(self, user="a", adds=(), removes=(), welcome=None):
        body = f"commit {self.count}"
        extra = {"welcome": {"sha": sha("welcome " + body), "to": welcome}} if welcome else {}
        n = self.begin("commit", user, convo="c1", key=f"k{self.count}", base=self.epoch, sha=sha(body),
                       adds=list(adds), removes=list(removes), **extra)
        self.epoch += 1
        row = self.store_row(user, 2, body, base=self.epoch - 1)
        self.keys[user, self.invokes[n]["key"]] = (row["seq"], row["epoch"])
        for one in adds:
            read = self.members.get(one, [0, 0])[1]
            self.members[one] = [row["seq"], max(read, row["seq"]), None]
        for one in removes:
            self.members[one][2] = row["seq"]
        for one, device, package in welcome or []:
            self.recipients.append([one, device, package, "pending", row["epoch"], "welcome " + body])
            self.packages[package][2] = "consumed"
        self.end(n, epoch=self.epoch)
        return row

    def shown(self, row):
        return [row["seq"], row["id"], row["epoch"], {1: "app", 2: "commit"}[row["kind"]], sha(row["body"])]

    def page(self, user="b", since=0, limit=100):
        n = self.begin("page", user, convo="c1", since=since, limit=limit)
        rows = [self.shown(row) for row in self.rows[since:since + limit]]
        if rows:
            self.members[user][1] = max(self.members[user][1], rows[-1][0])
        return self.end(n, rows=rows)

    def epoch_read(self, user="b"):
        n = self.begin("epoch", user, convo="c1")
        return self.end(n, epoch=self.epoch)

    def convos(self, user="b"):
        n = self.begin("convos", user)
        mark = self.members[user][1]
        unread = sum(row["kind"] == 1 and row["user"] != user and row["seq"] > mark for row in self.rows)
        return self.end(n, convos=[["c1", self.epoch, unread]])

    def publish(self, *names, user="b"):
        self.end(self.begin("publish", user, device="d1", hashes=[sha(name) for name in names]))
        for name in names:
            self.packages[sha(name)] = [user, "d1", "available", None]

    def claim(self, name, user="a"):
        n = self.begin("claim", user, targets=["b"])
        if self.packages[sha(name)][2] == "available":
            self.packages[sha(name)][2:] = ["reserved", user]
        return self.end(n, got=[["b", "d1", sha(name), False]])

    def stream(self, user="b", after=None, drained=True, rows=(), opened=True):
        n = self.begin("stream", user, **({"after": after} if after else {}))
        if opened:
            self.events.append({"e": "opened", "n": n, "t": self.tick()})
        return n

    def deliver(self, n, *rows):
        for row in rows:
            self.events.append({"e": "row", "n": n, "t": self.tick(), "convo": "c1", "row": self.shown(row)})

    def save(self, folder):
        log, path = f"{folder}/log", f"{folder}/db"
        with open(log, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.events)
        database = sqlite3.connect(path)
        database.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;" + SCHEMA.read_text())
        for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL").fetchall():
            database.execute(f"DROP INDEX {name}")  # a faulty store would not keep these rules
        put = lambda table, *row: database.execute(
            f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        seqs = [row["seq"] for row in self.rows]
        put("conversation", 1, "c1", b"g", 0, "a", 1, "", 0, 0, self.epoch, max(seqs, default=0) + 1, self.first_seq, 1, 1, None,
            None, len(self.members), 0)
        for user, (join, read, left) in self.members.items():
            put("member", 1, user, 0, join, read, 0, None, left, None if left is None else 1,
                None if left is None else 1, 0)
        for at, row in enumerate(self.rows, 1):
            put("message", row.get("position", at), 1, row["seq"], row["epoch"], row["kind"], row["id"], row["base"],
                sha(row["user"])[:16].encode(), row["user"] if row["kind"] == 2 else None, 0, 0, 0,
                b"" if row.get("expired") else row["body"].encode())
        for (user, key), (seq, epoch) in self.keys.items():
            put("idempotency", None, user, "addMembers", key, b"p" * 32, 1, seq, seq, epoch, 0, "", 0)
        for name, (user, device, state, by) in self.packages.items():
            by = by if state == "reserved" else None
            put("key_package", None, user, device, 1, ("ref" + name).encode(), bytes.fromhex(name), 0, 0, 0, state, by,
                1 if by else None, 1 if state == "consumed" else None, 0, 0, b"")
        for at, (user, device, package, state, epoch, body) in enumerate(self.recipients, 1):
            put("welcome", at, 1, epoch, 0, 0, 0, body.encode())
            put("welcome_recipient", None, at, 1, user, device, ("ref" + package).encode(), state, 0, 0)
        database.commit()
        database.close()
        return path, log


def typical():
    """Everything that can happen, correctly."""
    story = Story()
    story.create("b")
    stream = story.stream()
    story.send()
    story.send("b")
    story.convos()
    story.epoch_read()
    story.commit("b")
    story.page()
    story.send()
    story.convos()
    story.publish("p1", "p2")
    story.claim("p1")
    story.claim("p1")
    story.send(end="unknown")
    story.send(end="unknown", stored=False)
    story.send(end="fail", stored=False)
    story.commit(adds=["c"])
    story.send("c")
    story.deliver(stream, *story.rows[:4])
    story.end(stream, drained=False)
    again = story.stream(after=stream)
    story.deliver(again, *story.rows[4:])
    story.end(again, drained=True)
    story.page(since=4)
    story.convos()
    return story


class Planted(unittest.TestCase):
    def run_on(self, story):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out:
            code = main(story.save(folder))
        return code, out.getvalue()

    def found(self, name, story):
        code, out = self.run_on(story)
        self.assertEqual(code, 1, out)
        self.assertIn(f"\n{name}: ", "\n" + out)

    def test_a_correct_history_passes(self):
        code, out = self.run_on(typical())
        self.assertEqual(code, 0, out)
        self.assertIn(" 0 violations\n", out)
        self.assertIn(" 3 unread counts at quiet points", out)

    def test_lost_acknowledgement(self):
        story = typical()
        story.rows.pop()
        self.found("lost-ack", story)

    def test_lost_conversation(self):
        story = typical()
        n = story.begin("create", convo="c2", key="x", members=[], epoch=0)
        story.end(n, epoch=0)
        self.found("lost-ack", story)

    def test_two_rows_of_one_number(self):
        story = typical()
        story.rows[2]["seq"] = 2
        self.found("duplicate-seq", story)

    def test_a_gap(self):
        story = typical()
        for row in story.rows[3:]:
            row["seq"] += 1
        self.found("gap", story)

    def test_a_fork(self):
        story = typical()
        commit = story.commit()
        commit["base"], commit["epoch"], story.epoch = 1, 2, 2
        self.found("fork", story)

    def test_a_message_in_the_wrong_epoch(self):
        story = typical()
        story.rows[0]["epoch"] = 1
        self.found("epoch-order", story)

    def test_a_message_for_another_epoch_accepted(self):
        story = typical()
        story.send()
        story.invokes[story.count]["epoch"] = 1
        self.found("wrong-epoch", story)

    def test_a_stale_epoch(self):
        story = typical()
        story.epoch_read()["epoch"] = 1
        self.found("stale-read", story)

    def test_a_stale_page(self):
        story = typical()
        del story.page()["rows"][-1]
        self.found("stale-read", story)

    def test_an_epoch_that_goes_back_before_anything_is_acknowledged(self):
        story = typical()
        n = story.begin("commit", "a", convo="c1", key="late", base=2, sha=sha("late"), adds=[], removes=[])
        story.epoch += 1
        row = story.store_row("a", 2, "late", base=2)
        story.keys["a", "late"] = (row["seq"], 3)
        story.epoch_read()
        story.epoch_read()["epoch"] = 2
        story.end(n, epoch=3)
        self.found("stale-read", story)

    def test_a_refusal_with_a_stale_epoch(self):
        story = typical()
        n = story.begin("commit", "b", convo="c1", key="s", base=0, sha=sha("s"), adds=[], removes=[])
        story.end(n, "fail", status=409, error="EpochMismatch", serverEpoch=1)
        self.found("stale-read", story)

    def test_a_read_of_the_future(self):
        story = typical()
        answer = story.page()
        answer["rows"].append(story.shown(story.send()))
        self.found("future-read", story)

    def test_an_order_against_real_time(self):
        story = typical()
        first, second = story.send(), story.send()
        for one in ("id", "body"):
            first[one], second[one] = second[one], first[one]
        acks = [event for event in story.events if event["e"] == "ok" and "seq" in event][-2:]
        acks[0]["seq"], acks[1]["seq"] = acks[1]["seq"], acks[0]["seq"]
        self.found("order", story)

    def test_an_unanswered_request_done_twice(self):
        story = typical()
        row = story.send(end="unknown")
        story.store_row("a", 1, row["body"], id="another")
        self.found("doubled", story)

    def test_what_has_expired_lies_before_the_first_number(self):
        story = typical()
        for row in story.rows[:4]:
            row["expired"] = row["kind"] == 1
        story.first_seq = 5
        self.assertEqual(self.run_on(story)[0], 0)

    def test_an_expired_message_without_a_mark(self):
        story = typical()
        story.rows[0]["expired"] = True
        self.found("silent-hole", story)

    def test_a_mark_above_what_is_still_there(self):
        story = typical()
        story.first_seq = 2
        self.found("silent-hole", story)

    def test_an_expired_commit(self):
        story = typical()
        for row in story.rows[:4]:
            row["expired"] = True
        story.first_seq = 5
        self.found("silent-hole", story)

    def test_an_effect_of_a_refusal(self):
        story = typical()
        story.send(end="fail")
        self.found("effect-of-refusal", story)

    def test_an_effect_of_a_stale_request_after_its_refusal(self):
        story = typical()
        row = story.send(end="unknown")
        n = story.begin("send", "a", convo="c1", id=row["id"], epoch=row["epoch"], sha=sha(row["body"]))
        story.end(n, "fail", status=409, error="Conflict", serverEpoch=9)
        self.found("effect-of-refusal", story)

    def test_a_row_nobody_sent(self):
        story = typical()
        story.store_row("b", 1, "from nowhere")
        self.found("unexplained-row", story)

    def test_other_bytes(self):
        story = typical()
        story.rows[0]["body"] = "changed"
        self.found("wrong-bytes", story)

    def test_another_number_than_acknowledged(self):
        story = typical()
        n = story.begin("send", "a", convo="c1", id=story.rows[0]["id"], epoch=0, sha=sha(story.rows[0]["body"]))
        story.end(n, seq=2, epoch=0)
        self.found("wrong-answer", story)

    def test_a_commit_without_its_recorded_answer(self):
        story = typical()
        story.keys.popitem()
        self.found("wrong-answer", story)

    def test_a_sender_with_two_tags(self):
        story = typical()
        story.rows[0]["user"] = "somebody else"
        self.found("wrong-sender", story)

    def test_a_row_skipped_in_a_page(self):
        story = typical()
        del story.page()["rows"][1]
        self.found("skipped-row", story)

    def test_a_conversation_missing_in_a_list(self):
        story = typical()
        story.convos()["convos"].clear()
        self.found("skipped-row", story)

    def test_a_row_twice_on_a_stream(self):
        story = typical()
        n = story.stream()
        row = story.send()
        story.deliver(n, row, row)
        self.found("stream-repeat", story)

    def test_a_row_missing_on_a_stream(self):
        story = typical()
        n = story.stream()
        first, _, last = story.send(), story.send(), story.send()
        story.deliver(n, first, last)
        self.found("stream-gap", story)

    def test_rows_missing_at_the_start_of_a_stream(self):
        story = typical()
        n = story.stream()
        story.send()
        story.deliver(n, story.send())
        self.found("stream-gap", story)

    def test_rows_missing_at_the_end_of_a_stream(self):
        story = typical()
        n = story.stream()
        story.deliver(n, story.send())
        story.send()
        story.end(n, drained=True)
        self.found("stream-gap", story)

    def test_rows_missing_between_two_connections(self):
        story = typical()
        n = story.stream()
        story.deliver(n, story.send())
        story.end(n, drained=False)
        story.send()
        story.deliver(story.stream(after=n), story.send())
        self.found("stream-gap", story)

    def test_a_row_streamed_to_one_who_was_removed(self):
        story = typical()
        n = story.stream("c")
        story.deliver(n, story.commit(removes=["c"]), story.send())
        self.found("foreign-row", story)

    def test_rows_missing_on_a_stream_before_its_reader_was_removed(self):
        story = typical()
        n = story.stream("c")
        first = story.send()
        story.send()
        story.commit(removes=["c"])
        story.commit(adds=["c"])
        story.deliver(n, first, story.send())
        self.found("stream-gap", story)

    def test_a_list_for_one_who_was_removed(self):
        story = typical()
        story.commit(removes=["c"])
        story.convos("c")
        self.found("foreign-row", story)

    def test_a_member_nobody_added(self):
        story = typical()
        story.members["d"] = [0, 0, None]
        self.found("wrong-roster", story)

    def test_a_wrong_unread_count(self):
        story = typical()
        story.send()
        story.convos()["convos"][0][2] += 1
        self.found("wrong-unread", story)

    def unmarked(self, what, full=""):
        """b did `what` and was answered, its read mark stays where it was; the disk was full "before" or "meanwhile"."""
        story = Story()
        story.create("b")
        story.send()
        n = story.begin("full", "") if full else None
        if full == "before":
            story.end(n)
        if what == "page":
            story.page()
        else:
            story.end(story.begin("mark", "b", convo="c1", seq=len(story.rows)))
        if full == "meanwhile":
            story.end(n)
        story.members["b"][1] = 0
        story.convos()
        return story

    def test_a_full_disk_need_not_store_the_mark_of_a_page(self):
        code, out = self.run_on(self.unmarked("page", "meanwhile"))
        self.assertEqual(code, 0, out)

    def test_a_page_that_did_not_move_its_mark(self):
        self.found("wrong-unread", self.unmarked("page"))
        self.found("wrong-unread", self.unmarked("page", "before"))

    def test_a_full_disk_must_not_lose_a_mark_that_was_asked_for(self):
        self.found("wrong-unread", self.unmarked("mark", "meanwhile"))

    def test_a_read_mark_that_went_back(self):
        story = typical()
        story.members["b"][1] = 1
        self.found("wrong-mark", story)

    def test_a_key_package_handed_out_twice(self):
        story = typical()
        story.claim("p1", "c")
        self.found("double-key-package", story)

    def test_a_key_package_handed_out_after_its_use(self):
        story = typical()
        story.commit(welcome=[["b", "d1", sha("p1")]], adds=["d"])
        story.claim("p1")
        self.found("double-key-package", story)

    def test_a_claim_that_changes_when_repeated(self):
        story = typical()
        story.claim("p2")
        self.found("changed-claim", story)

    def test_a_claim_that_burnt_two(self):
        story = typical()
        story.packages[sha("p2")][2:] = ["reserved", "a"]
        self.found("doubled", story)

    def test_a_lost_key_package(self):
        story = typical()
        del story.packages[sha("p2")]
        self.found("lost-key-package", story)

    def test_a_lost_welcome(self):
        story = typical()
        story.commit(welcome=[["b", "d1", sha("p1")]], adds=["d"])
        story.recipients.clear()
        self.found("lost-welcome", story)

    def test_a_welcome_used_up_by_reading(self):
        story = typical()
        story.commit(welcome=[["b", "d1", sha("p1")]], adds=["d"])
        story.end(story.begin("welcome", "b", device="d1", convo="c1"), "fail", status=404, error="WelcomeNotFound")
        self.found("lost-welcome", story)


if __name__ == "__main__":
    unittest.main()
