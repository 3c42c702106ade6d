# SPDX-License-Identifier: MIT
"""What clients wrote down: JSON lines, one per event. Any program may write them; several files of one
run are read together, for all times are nanoseconds of the one monotonic clock of the machine.

    {"e":"invoke","n":7,"t":123,"c":"client 3","op":"send","user":DID,"convo":HEX, ...}
    {"e":"ok","n":7,"t":456, ...}     or  {"e":"fail", ..., "status":409,"error":NAME,"serverEpoch":5}
                                      or  {"e":"unknown", ...}: 5xx, a reset, no answer
`n` is unique in its file. An invoke without an end is unknown. What each op says, and its ok:

    create   user convo key members[] epoch                        epoch
    send     user convo id epoch sha                               seq epoch
    commit   user convo key base sha adds[] removes[] [welcome]    epoch
             welcome = {"sha":, "to":[[user, device, hash of the key package], ...]}
    page     user convo since limit                                rows [[seq, id, epoch, kind, sha], ...]
    commits  user convo from                                       rows (the same)
    epoch    user convo                                            epoch
    convos   user                                                  convos [[convo, epoch, unread], ...]
    mark     user convo seq
    publish  user device hashes[]
    claim    user targets[]                                        got [[user, device, hash, lastResort], ...]
    welcome  user device convo                                     sha epoch
    confirm  user device convo
    stream   user [convo] [after: n of the stream it resumes]      drained
             and in between {"e":"opened","n":,"t":} once the server has answered, and
             {"e":"row","n":,"t":,"convo":,"row":[...]}. "drained": the reader waited for all that
             was acknowledged. Without `after` it begins with what comes from now on
    full     user ("")                         the disk of the store was full from invoke to ok: a page is
             then answered although its read mark could not be stored. Everything else holds as ever
sha: SHA-256 of the bytes that must be stored, hexadecimal. kind: app, commit or proposal. A retry is an
op of its own with the same id or key. Every change of a roster must be one with a commit.
"""

import json

FOREVER = float("inf")


class BadLog(Exception):
    """The log itself cannot be what a client wrote."""


class Op:
    __slots__ = ("where", "kind", "user", "convo", "t0", "t1", "outcome", "ask", "answer", "rows", "opened", "previous")

    def __init__(self, where, ask):
        self.where, self.ask = where, ask
        self.kind, self.user, self.convo = ask["op"], ask["user"], ask.get("convo", "")
        self.t0, self.t1 = ask["t"], FOREVER
        self.outcome, self.answer, self.rows, self.previous = "unknown", {}, [], None
        self.opened = FOREVER

    @property
    def ok(self):
        return self.outcome == "ok"

    def __str__(self):
        name = self.ask.get("id") or self.ask.get("key") or ""
        return f"{self.kind} {name} by {self.user} ({self.where})"


def read_log(path):
    ops = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
            except ValueError:
                # A killed client may leave half a last line; its request counts as unanswered.
                if line.endswith("\n"):
                    raise BadLog(f"{path}:{number}: not JSON") from None
                break
            n, what = event["n"], event["e"]
            if what == "invoke":
                if n in ops:
                    raise BadLog(f"{path}:{number}: {n} begins twice")
                ops[n] = Op(f"{path.rsplit('/', 1)[-1]}:{number}", event)
                if event.get("after") is not None:
                    ops[n].previous = ops[event["after"]]
                continue
            op = ops.get(n)
            if op is None or op.t1 != FOREVER:
                raise BadLog(f"{path}:{number}: {n} ends without having begun, or twice")
            if event["t"] < op.t0:
                raise BadLog(f"{path}:{number}: {n} ends before it begins")
            if what == "row":
                op.rows.append((event["t"], event["convo"], tuple(event["row"])))
                continue
            if what == "opened":
                op.opened = event["t"]
                continue
            op.outcome, op.answer, op.t1 = what, event, event["t"]
    return list(ops.values())


class Write:
    """All tries of one request: the same caller, the same id or key, the same bytes."""

    def __init__(self, name):
        self.name, self.tries = name, []

    def add(self, op):
        self.tries.append(op)
        if op.ask.get("sha") != self.tries[0].ask.get("sha"):
            raise BadLog(f"{op}: the same key with other bytes")

    def settle(self):
        self.first = self.tries[0]
        possible = [op for op in self.tries if op.outcome != "fail"]  # a refused try has no effect
        self.invoked = min((op.t0 for op in possible), default=self.first.t0)
        self.oks = [op for op in self.tries if op.ok]
        self.acked = min((op.t1 for op in self.oks), default=FOREVER)
        # Refused at an epoch beyond its own: as epochs never go back, no try of it that is still on its
        # way can succeed either.
        base = self.first.ask.get("base", self.first.ask.get("epoch"))
        stale = any(op.outcome == "fail" and op.answer.get("serverEpoch", -1) > base for op in self.tries)
        self.refused = not self.oks and (stale or not possible)
        return self


def group_writes(ops):
    """By conversation: the writes that make a row, and creations."""
    found = {}
    for op in sorted((op for op in ops if op.kind in ("create", "send", "commit")), key=lambda op: op.t0):
        name = (op.kind, op.user, op.ask.get("id") or op.ask["key"])
        found.setdefault(op.convo, {}).setdefault(name, Write(name)).add(op)
    return {convo: [write.settle() for write in writes.values()] for convo, writes in found.items()}
