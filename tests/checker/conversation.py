# SPDX-License-Identifier: MIT
"""One conversation: its rows against what was sent and answered, then every read of it.

Why this is a check of linearizability. The state of a conversation is its numbered log; what a request
may do, and whether it is refused, follows from the length of the log alone. The store gives every
accepted write its place in the one order there can be, so nothing has to be searched:
 - writes: accepted ones stand at their number, are possible there (base epoch, epoch of a message), and
   never stand behind one that began after they were answered;
 - a read, and a refusal that names an epoch, shows a prefix of the log: its length n lies between two
   numbers that follow from the answer. n must not be less than any number acknowledged, or shown by a
   read that ended, before this one began; and no row up to n may have been requested only after it ended.
Giving each read the least such n, in order of beginning, yields an order that respects real time; if one
read has none, no order exists. So the check is exact, in O(n log n).
"""

import bisect

from history import FOREVER
from store import EMPTY


class Rows:
    """Rows of the store with the times that the log gives them."""

    def __init__(self, convo, writes):
        self.all = convo.rows
        self.convo = convo
        self.creations = [w for w in writes if w.name[:2] == ("create", convo.creator) and not w.refused]
        sends = {(w.name[2]): w for w in writes if w.name[0] == "send"}
        commits = {w.first.ask["sha"]: w for w in writes if w.name[0] == "commit"}
        self.write = [sends.get(row.id) if row.kind != "commit" else commits.get(row.sha) for row in self.all]
        # What has expired was what was sent, as far as anyone can tell.
        self.all = [row if row.sha != EMPTY or write is None else row._replace(sha=write.first.ask["sha"])
                    for write, row in zip(self.write, self.all)]
        latest, self._invoked = 0, []
        for write in self.write:
            latest = max(latest, write.invoked if write else 0)
            self._invoked.append(latest)
        acks = sorted((w.acked, row.seq) for w, row in zip(self.write, self.all) if w and w.acked != FOREVER)
        self._ack_times, self._ack_seqs, highest = [], [], 0
        for time, seq in acks:
            highest = max(highest, seq)
            self._ack_times.append(time)
            self._ack_seqs.append(highest)
        self.commit_seqs = [row.seq for row in self.all if row.kind == "commit"]
        self.commit_epochs = [row.epoch for row in self.all if row.kind == "commit"]
        self._app = [0]
        self._own = {}
        for write, row in zip(self.write, self.all):
            self._app.append(self._app[-1] + (row.kind == "app"))
            if row.kind == "app" and write:
                self._own.setdefault(write.first.user, []).append(row.seq)

    @property
    def last(self):
        return len(self.all)

    def least(self, time):
        """What was acknowledged by then."""
        at = bisect.bisect_right(self._ack_times, time)
        return self._ack_seqs[at - 1] if at else 0

    def most(self, time):
        """What can have been there by then: the rows before the first that was requested later."""
        return bisect.bisect_right(self._invoked, time)

    def of_epoch(self, epoch):
        """From which length on, and up to which, the log is at this epoch; nothing if it never is."""
        if epoch == self.convo.creation_epoch:
            return 0, self.commit_seqs[0] - 1 if self.commit_seqs else FOREVER
        at = bisect.bisect_left(self.commit_epochs, epoch)
        if at == len(self.commit_epochs) or self.commit_epochs[at] != epoch:
            return None
        return self.commit_seqs[at], self.commit_seqs[at + 1] - 1 if at + 1 < len(self.commit_seqs) else FOREVER

    def commits(self, from_epoch, after, until):
        """The rows of commits that lead to an epoch from there on, in (after, until]."""
        at = max(bisect.bisect_left(self.commit_epochs, from_epoch), bisect.bisect_right(self.commit_seqs, after))
        return [self.all[seq - 1] for seq in self.commit_seqs[at:bisect.bisect_right(self.commit_seqs, until)]]

    def unread(self, user, after, until):
        """U1: app rows in (after, until] that are not the user's own."""
        own = self._own.get(user, [])
        count = self._app[until] - self._app[min(after, until)]
        return count - max(0, bisect.bisect_right(own, until) - bisect.bisect_right(own, after))

    def windows(self):
        """Who may read what: user -> [[join, left or FOREVER], ...], by the commits in their order."""
        windows = {}
        for write in self.creations:
            for user in {write.first.user, *write.first.ask["members"]}:
                windows[user] = [[0, FOREVER]]
        for write, row in zip(self.write, self.all):
            if row.kind != "commit" or not write:
                continue
            for user in write.first.ask.get("removes", []):
                if user in windows and windows[user][-1][1] == FOREVER:
                    windows[user][-1][1] = row.seq
            for user in write.first.ask.get("adds", []):
                if user not in windows or windows[user][-1][1] != FOREVER:
                    windows.setdefault(user, []).append([row.seq, FOREVER])
        return windows


class ConversationCheck:
    def __init__(self, convo, writes, report):
        self.rows = Rows(convo, writes)
        self.convo, self.writes, self._report = convo, writes, report
        self.windows = self.rows.windows()
        self.reads = []  # (op, least n, greatest n) by its answer

    def report(self, name, what):
        self._report(name, f"conversation {self.convo.id}: {what}")

    def run_writes(self):
        """False if the numbers are so wrong that nothing can be said about reads."""
        self._numbers()
        self._origins()
        self._epochs()
        self._order()
        self._answers()
        return [row.seq for row in self.convo.rows] == list(range(1, self.rows.last + 1))

    def _numbers(self):
        expected = 1
        for row in self.convo.rows:
            if row.seq < expected:
                self.report("duplicate-seq", f"number {row.seq} stands there twice")
            elif row.seq > expected:
                self.report("gap", f"numbers {expected} to {row.seq - 1} are missing")
            expected = max(expected, row.seq + 1)
            expired = row.seq < self.convo.first_seq and row.kind != "commit"
            if expired != (row.sha == EMPTY):
                self.report("silent-hole", f"number {row.seq} has {'no ' if row.sha == EMPTY else ''}bytes; the "
                            f"history begins with {self.convo.first_seq}")
        if self.convo.next_seq != expected:
            self.report("gap", f"the next number is {self.convo.next_seq}, not {expected}")
        for earlier, later in zip(self.convo.rows, self.convo.rows[1:]):
            if later.position <= earlier.position:
                self.report("order", f"number {later.seq} stands before {earlier.seq} in the store's order")

    def _origins(self):
        seen, tags = {}, {}
        for write, row in zip(self.rows.write, self.rows.all):
            if row.sha in seen:
                self.report("doubled", f"the bytes of number {row.seq} are those of {seen[row.sha]}")
            seen[row.sha] = row.seq
            if write is None:
                self.report("unexplained-row", f"nobody sent number {row.seq}, {row.id}")
                continue
            if write.refused:
                self.report("effect-of-refusal", f"number {row.seq} is there; {write.first} was refused")
            if row.sha != write.first.ask["sha"]:
                self.report("wrong-bytes", f"number {row.seq} is not what was sent: {write.first}")
            asked = write.first.ask.get("base", write.first.ask.get("epoch"))
            if asked != (row.base if row.kind == "commit" else row.epoch):
                self.report("wrong-epoch", f"number {row.seq} stands in epoch {row.epoch}; {write.first} is of {asked}")
            user = write.first.user
            if row.kind == "commit" and row.committer != user:
                self.report("wrong-sender", f"number {row.seq} is said to be by {row.committer}, not {user}")
            if tags.setdefault(user, row.tag) != row.tag or \
                    any(tag == row.tag and other != user for other, tag in tags.items()):
                self.report("wrong-sender", f"the sender's tag of number {row.seq} is not {user}'s alone")

    def _epochs(self):
        epoch, bases = self.convo.creation_epoch, set()
        for row in self.rows.all:
            if row.kind == "commit":
                if row.base in bases:
                    self.report("fork", f"number {row.seq} is a second commit on epoch {row.base}")
                elif row.base != epoch or row.epoch != epoch + 1:
                    self.report("epoch-order", f"number {row.seq} leads from {row.base} to {row.epoch} at {epoch}")
                bases.add(row.base)
                epoch = row.epoch
            elif row.epoch != epoch:
                self.report("epoch-order", f"number {row.seq} of epoch {row.epoch} stands in epoch {epoch}")
        if self.convo.epoch != epoch:
            self.report("epoch-order", f"the epoch is {self.convo.epoch}, the commits lead to {epoch}")

    def _order(self):
        first_ack, who = FOREVER, None
        for write, row in reversed(list(zip(self.rows.write, self.rows.all))):
            if write is None:
                continue
            if first_ack < write.invoked:
                self.report("order", f"number {row.seq} began after {who.first} was answered, and stands before it")
            if write.acked < first_ack:
                first_ack, who = write.acked, write

    def _answers(self):
        at = {id(write): row for write, row in zip(self.rows.write, self.rows.all) if write}
        for write in self.writes:
            row = at.get(id(write))
            if write.name[0] == "create":
                self._creation(write)
                continue
            if write.oks and row is None:
                self.report("lost-ack", f"{write.oks[0]} was acknowledged and is not there")
            key = (write.first.user, write.name[2])
            if write.name[0] == "commit" and row is None and key in self.convo.keys:
                self.report("effect-of-refusal", f"no row, but a recorded answer: {write.first}")
            for op in write.oks:
                if row is None:
                    continue
                said = (op.answer.get("seq", row.seq), op.answer["epoch"])
                if said != (row.seq, row.epoch):
                    self.report("wrong-answer", f"{op} was told {said}; the row says {(row.seq, row.epoch)}")
                if write.name[0] == "commit" and self.convo.keys.get(key) != (row.seq, row.epoch):
                    self.report("wrong-answer", f"{op}: the recorded answer is {self.convo.keys.get(key)}")

    def _creation(self, write):
        for op in write.oks:
            if self.convo.creator != op.user or op.answer["epoch"] != self.convo.creation_epoch:
                self.report("wrong-answer", f"{op} was told epoch {op.answer['epoch']}")

    def run_members(self, marks):
        """The roster is the fold of the commits, and read marks what readers moved them to."""
        for user, windows in self.windows.items():
            join, left = windows[-1]
            stored = self.convo.members.get(user)
            if stored is None or stored.join_seq != join or (stored.left_seq or FOREVER) != left:
                self.report("wrong-roster", f"{user} should read {join + 1} to {left}; stored: {stored}")
                continue
            if left != FOREVER:
                continue  # who departed reads without moving its mark
            low, high = marks.bounds(user, FOREVER, FOREVER)
            low, high = max([low, *(w[0] for w in windows)]), max([high, *(w[0] for w in windows)])
            if not low <= stored.read_seq <= high:
                self.report("wrong-mark", f"{user}'s read mark is {stored.read_seq}, not in [{low}, {high}]")
        for user in self.convo.members.keys() - self.windows.keys():
            self.report("wrong-roster", f"{user} is a member, and nobody added it")

    def add_read(self, op, least, greatest):
        self.reads.append((op, least, greatest))

    def run_reads(self):
        events = sorted([(op.t0, 1, i) for i, (op, *_) in enumerate(self.reads)]
                        + [(op.t1, 0, i) for i, (op, *_) in enumerate(self.reads)])
        shown, places = 0, {}
        for _, begins, i in events:
            op, least, greatest = self.reads[i]
            if not begins:
                shown = max(shown, places[i])
                continue
            floor = max(shown, self.rows.least(op.t0))
            places[i] = max(least, min(floor, greatest))
            if floor > greatest:
                self.report("stale-read", f"{op} shows {greatest} rows; {floor} had been acknowledged or shown")
            if least > self.rows.most(op.t1):
                self.report("future-read", f"{op} shows row {least}, requested only later")
