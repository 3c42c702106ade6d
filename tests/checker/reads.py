# SPDX-License-Identifier: MIT
"""What readers were shown: pages, epochs, lists and streams, each held to the rows of the store."""

import bisect

from history import FOREVER


class Steps:
    """A value that only grows, by the times at which it did."""

    def __init__(self, pairs):
        self._times, self._values, highest = [], [], 0
        for time, value in sorted(pairs):
            highest = max(highest, value)
            self._times.append(time)
            self._values.append(highest)

    def before(self, time):
        at = bisect.bisect_left(self._times, time)
        return self._values[at - 1] if at else 0


class Marks:
    """Where a user's read mark can have been, by the requests that move it. `full`: when (t0, t1) the disk was
    full, so that an answered page need not have moved it."""

    def __init__(self, ops, full):
        moves = {}  # user -> [(t0, t1 or FOREVER if unknown, target)]
        for op in ops:
            if op.kind == "mark":
                target = op.ask["seq"]
            elif op.kind == "page" and op.ok:
                target = max((row[0] for row in op.answer["rows"]), default=0)
            elif op.kind == "page":
                target = op.ask["since"] + op.ask["limit"]
            else:
                continue
            if target and op.outcome != "fail":
                sure = op.ok and (op.kind == "mark" or not any(op.t0 <= end and start <= op.t1 for start, end in full))
                moves.setdefault(op.user, []).append((op.t0, op.t1 if sure else FOREVER, target))
        self._least = {user: Steps((t1, target) for _, t1, target in all_) for user, all_ in moves.items()}
        self._greatest = {user: Steps((t0, target) for t0, _, target in all_) for user, all_ in moves.items()}

    def bounds(self, user, before, after):
        """Least by `before`, greatest by `after`."""
        if user not in self._least:
            return 0, 0
        return self._least[user].before(before), self._greatest[user].before(after)


class ReadCheck:
    def __init__(self, check, ops, full):
        self.check, self.rows = check, check.rows
        self.ops = ops
        self.marks = Marks(ops, full)
        self.unread_checked = 0

    def run(self):
        for op in self.ops:
            if op.ok and op.kind in ("page", "commits", "epoch"):
                getattr(self, "_" + op.kind)(op)
            elif op.outcome == "fail" and "serverEpoch" in op.answer:
                self._refusal(op)

    def _same(self, op, shown, stored):
        """Whether these are those rows, all of them in this order."""
        for mine, row in zip(shown, stored):
            if tuple(mine) == (row.seq, row.id, row.epoch, row.kind, row.sha):
                continue
            name = "wrong-row" if mine[0] == row.seq else "skipped-row"
            self.check.report(name, f"{op} shows {tuple(mine)[:4]} where {row[1:5]} stands")
            return False
        return True

    def _page(self, op):
        shown = op.answer["rows"]
        problems = []
        for join, left in reversed(self.check.windows.get(op.user, [])):
            after = max(op.ask["since"], join)
            stored = [row for row in self.rows.all[after:after + op.ask["limit"]] if row.seq <= left]
            if shown and len(shown) <= len(stored) and shown[0][0] != after + 1 and join > op.ask["since"]:
                continue  # by an earlier membership
            if len(shown) > len(stored):
                problems.append(f"{op} shows more rows than there are in ({after}, {left}]")
                continue
            if not self._same(op, shown, stored):
                return
            last = after + len(shown)
            whole = len(shown) < op.ask["limit"] and last < left
            self.check.add_read(op, last if shown else 0, last if whole else FOREVER)
            return
        self.check.report("skipped-row", problems[0] if problems else f"{op} fits no membership of its reader")

    def _commits(self, op):
        shown = op.answer["rows"]
        for join, left in reversed(self.check.windows.get(op.user, [])):
            stored = self.rows.commits(op.ask["from"], join, left)
            if len(shown) > len(stored):
                continue
            if self._same(op, shown, stored):
                more = stored[len(shown)].seq - 1 if len(shown) < len(stored) else FOREVER
                self.check.add_read(op, shown[-1][0] if shown else 0, more)
            return
        self.check.report("skipped-row", f"{op} fits no membership of its reader")

    def _epoch_read(self, op, epoch):
        place = self.rows.of_epoch(epoch)
        if place is None:
            self.check.report("future-read", f"{op} names epoch {epoch}, which never was")
            return
        self.check.add_read(op, *place)

    def _epoch(self, op):
        self._epoch_read(op, op.answer["epoch"])

    def _refusal(self, op):
        if op.answer["serverEpoch"] == op.ask.get("base", op.ask.get("epoch")):
            self.check.report("wrong-answer", f"{op} was refused for the epoch it had right")
        self._epoch_read(op, op.answer["serverEpoch"])

    def listed(self, op, epoch, unread):
        """A line of getConvos. The count lies between its least and its greatest possible value; at a quiet
        point of the conversation the two are the same."""
        self._epoch_read(op, epoch)
        windows = self.check.windows.get(op.user, [])
        least, most = self.rows.least(op.t0), min(self.rows.most(op.t1), self.rows.last)
        if not windows or windows[-1][0] <= least and windows[-1][1] <= least:
            self.check.report("foreign-row", f"{op} lists {self.check.convo.id}, where {op.user} is no member")
        joins = [join for join, _ in windows if join <= most]
        if not joins or windows[len(joins) - 1][1] <= most:
            return  # removed, or just being removed
        low, high = self.marks.bounds(op.user, op.t0, op.t1)
        low, high = max(low, joins[-1]), max(high, joins[-1])
        fewest, greatest = self.rows.unread(op.user, min(high, least), least), self.rows.unread(op.user, low, most)
        self.unread_checked += low == high and least == most
        if not fewest <= unread <= greatest:
            self.check.report("wrong-unread", f"{op} says {unread}; the definition, {fewest} to {greatest}")

    def must_list(self, op):
        """Members of before, not removed until after, see the conversation listed."""
        least, most = self.rows.least(op.t0), self.rows.most(op.t1)
        return any(join <= least and left > most for join, left in self.check.windows.get(op.user, []))

    def created_before(self, time):
        return any(write.acked < time for write in self.rows.creations)

    def stream(self, op, rows, last, opened):
        """One connection's rows of this conversation; `last`: where an earlier connection ended, or None;
        `opened`: when the first of them was. Gives where this one ended."""
        for time, shown in rows:
            seq = shown[0]
            if last is None:
                # From now on: nothing may be missing that was requested after the stream had begun.
                wanted = self._next(op.user, self.rows.most(opened))
                if seq > wanted:
                    self.check.report("stream-gap", f"{op} begins with {seq}; {wanted} came after its start")
            elif seq <= last:
                self.check.report("stream-repeat", f"{op} gives {seq} after {last}")
                continue
            elif seq > self._next(op.user, last):
                self.check.report("stream-gap", f"{op} gives {seq} after {last}")
            if seq > self.rows.last:
                self.check.report("wrong-row", f"{op} gives {seq}, which is not there")
                return last
            self._same(op, [shown], [self.rows.all[seq - 1]])
            if seq > self.rows.most(time):
                self.check.report("future-read", f"{op} gives {seq}, requested only later")
            if not any(join < seq <= left for join, left in self.check.windows.get(op.user, [])):
                self.check.report("foreign-row", f"{op} gives {seq} to someone who may not read it")
            last = seq
        return last

    def stream_end(self, op, last, opened):
        """The reader waited for the end, so the end it must have."""
        seen = self.rows.most(opened) if last is None else last
        if self._next(op.user, seen) <= self.rows.last:
            self.check.report("stream-gap", f"{op} ended at {last}; {self._next(op.user, seen)} was there")

    def _next(self, user, seq):
        """The first number after `seq` that the user may read."""
        for join, left in self.check.windows.get(user, []):
            if max(seq, join) < left:
                return max(seq, join) + 1
        return FOREVER
