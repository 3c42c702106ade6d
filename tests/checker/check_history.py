#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_history.py DATABASE LOG...: whether what clients saw (history.py says how it is written down) can be
what one correct server did, whose store is DATABASE now: a file of SQLite, or a URL of PostgreSQL. The server
must have stopped. One line per violation and one at the end; exits 1 if there is any. It shares no code with
the server and knows only its schema."""

import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from conversation import ConversationCheck  # noqa: E402
from history import BadLog, group_writes, read_log  # noqa: E402
from packages import PackageCheck  # noqa: E402
from reads import ReadCheck  # noqa: E402
from store import Store  # noqa: E402


class History:
    def __init__(self, store, ops):
        self.store, self.ops = store, ops
        self.violations = []
        self.checks = {}  # convo -> ReadCheck
        self.of_user = collections.defaultdict(dict)  # user -> convo -> ReadCheck, where it ever was a member
        self.packages = None

    def report(self, name, what):
        self.violations.append(f"{name}: {what}")

    def run(self):
        if self.store.integrity != "ok":
            self.report("corrupt", self.store.integrity)
        by_convo = collections.defaultdict(list)
        for op in self.ops:
            by_convo[op.convo].append(op)
        writes = group_writes(self.ops)
        for name in writes.keys() - self.store.convos.keys():
            self._absent(writes[name])
        welcomes = []
        full = [(op.t0, op.t1) for op in self.ops if op.kind == "full"]
        for name, convo in self.store.convos.items():
            check = ConversationCheck(convo, writes.get(name, []), self.report)
            if not check.rows.creations:
                self.report("unexplained-row", f"nobody created conversation {name}")
            there = {id(write) for write in check.rows.write if write}
            welcomes += [(w, id(w) in there) for w in writes.get(name, []) if "welcome" in w.first.ask]
            if not check.run_writes():
                continue
            self.checks[name] = ReadCheck(check, by_convo[name], full)
            self.checks[name].run()
            for user in check.windows:
                self.of_user[user][name] = self.checks[name]
        self._lists()
        self._streams()
        for reads in self.checks.values():
            reads.check.run_reads()
            reads.check.run_members(reads.marks)
        self.packages = PackageCheck(self.store, self.ops, welcomes, self.report)
        self.packages.run()
        return not self.violations

    def _absent(self, writes):
        for write in writes:
            if write.oks:
                self.report("lost-ack", f"{write.oks[0]} was acknowledged; the conversation is not there")

    def _lists(self):
        for op in self.ops:
            if op.kind != "convos" or not op.ok:
                continue
            listed = {name: rest for name, *rest in op.answer["convos"]}
            for name, rest in listed.items():
                if name in self.checks:
                    self.checks[name].listed(op, *rest)
                elif name not in self.store.convos:
                    self.report("wrong-row", f"{op} lists {name}, which is not there")
            for name, reads in self.of_user[op.user].items():
                if name not in listed and reads.created_before(op.t0) and reads.must_list(op):
                    self.report("skipped-row", f"{op} does not list {name}")

    def _streams(self):
        ended = {}  # id of a stream op -> convo -> last seq
        for op in (op for op in self.ops if op.kind == "stream"):
            opened = first_of(op).opened
            last = dict(ended.get(id(op.previous), {}))
            rows = collections.defaultdict(list)
            for time, convo, row in op.rows:
                rows[convo].append((time, row))
            for name, shown in rows.items():
                if name in self.checks:
                    last[name] = self.checks[name].stream(op, shown, last.get(name), opened)
            ended[id(op)] = last
            if op.ok and op.answer.get("drained"):
                for name, reads in self.of_user[op.user].items():
                    if op.convo in ("", name):
                        reads.stream_end(op, last.get(name), opened)

    def summary(self):
        unread = sum(reads.unread_checked for reads in self.checks.values())
        unanswered = sum(op.outcome == "unknown" for op in self.ops)
        return (f"{len(self.ops)} operations ({unanswered} unanswered), {len(self.store.convos)} conversations, "
                f"{sum(len(c.rows) for c in self.store.convos.values())} rows, "
                f"{sum(len(op.rows) for op in self.ops)} streamed, {self.packages.handed_out} key packages handed out, "
                f"{unread} unread counts at quiet points, {len(self.violations)} violations")


def first_of(op):
    while op.previous is not None:
        op = op.previous
    return op


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        history = History(Store(arguments[0]), [op for path in arguments[1:] for op in read_log(path)])
        good = history.run()
    except BadLog as error:
        print(f"bad log: {error}")
        return 2
    for violation in history.violations:
        print(violation)
    print(history.summary())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
