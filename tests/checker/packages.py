# SPDX-License-Identifier: MIT
"""Key packages are handed out once (K1-K3), Welcomes wait for their reader (K6)."""

import collections


class PackageCheck:
    def __init__(self, store, ops, commits, report):
        self.store, self.ops, self.report = store, ops, report
        self.commits = commits  # Write and whether it stands in the store, of every commit with a Welcome
        self.stored = {package.hash: package for package in store.packages}
        self.handed_out = 0

    def run(self):
        self._published()
        self._claims()
        self._reserved()
        self._welcomes()

    def _published(self):
        published, maybe = collections.Counter(), set()
        for op in self.ops:
            if op.kind == "publish" and op.outcome != "fail":
                (published.update if op.ok else maybe.update)(op.ask["hashes"])
        for one in published:
            if one not in self.stored:
                self.report("lost-key-package", f"{one} was published and is not there")
        for one in self.stored.keys() - published.keys() - maybe:
            self.report("unexplained-row", f"nobody published key package {one}")

    def _used(self):
        """hash -> (user, from when on it is surely used up, whether it is)."""
        return {one: (write.first.user, write.acked, there)
                for write, there in self.commits for _, _, one in write.first.ask["welcome"]["to"]}

    def _claims(self):
        used, owner, sets = self._used(), {}, {}
        for op in sorted((op for op in self.ops if op.kind == "claim" and op.ok), key=lambda op: op.t0):
            for user, device, one, last_resort in op.answer["got"]:
                if last_resort:
                    continue
                self.handed_out += 1
                if owner.setdefault(one, op.user) != op.user:
                    self.report("double-key-package", f"{one} went to {owner[one]} and to {op.user}: {op}")
                if one in used and used[one][1] < op.t0:
                    self.report("double-key-package", f"{one} was used up before {op}")
                # K2: until it is used, a device's package for the same caller stays the same.
                kept = sets.setdefault((op.user, user, device), one)
                if kept != one and not (kept in used and used[kept][2]):
                    self.report("changed-claim", f"{op} got {one}; {kept}, handed out before, was never used")
                sets[op.user, user, device] = one
        for one, user in owner.items():
            package = self.stored.get(one)
            if package is None:
                self.report("unexplained-row", f"key package {one} was handed out and is not there")
                continue
            consumed = one in used and used[one][2]
            if consumed != (package.state == "consumed") or (not consumed and package.reserved_by != user):
                self.report("double-key-package", f"{one} is {package.state} for {package.reserved_by}, not {user}'s")

    def _reserved(self):
        """A caller holds at most one package of a device: a claim that was not answered burns no second one."""
        held = collections.Counter(
            (p.reserved_by, p.user, p.device) for p in self.store.packages if p.state == "reserved")
        for (caller, user, device), count in held.items():
            if count > 1:
                self.report("doubled", f"{caller} holds {count} key packages of {user} on {device}")

    def _welcomes(self):
        waiting = collections.defaultdict(list)  # (convo, user, device) -> [(acked, sha)] of what stands
        stored = collections.Counter(r[:4] + (r.sha,) for r in self.store.recipients)
        for write, there in self.commits:
            welcome = write.first.ask["welcome"]
            for user, device, one in welcome["to"]:
                count = stored[write.first.convo, user, device, one, welcome["sha"]]
                if count != int(there):
                    self.report("lost-welcome", f"{count} Welcomes for {user} of {write.first}")
                if there:
                    waiting[write.first.convo, user, device].append((write.acked, welcome["sha"]))
        confirms = collections.defaultdict(list)
        for op in self.ops:
            if op.kind == "confirm" and op.outcome != "fail":
                confirms[op.convo, op.user, op.ask["device"]].append(op)
        for op in self.ops:
            if op.kind != "welcome" or op.outcome == "unknown":
                continue
            mine = waiting[op.convo, op.user, op.ask["device"]]
            confirmed = [c for c in confirms[op.convo, op.user, op.ask["device"]] if c.t0 < op.t1]
            if op.ok and op.answer["sha"] not in [sha for _, sha in mine]:
                self.report("wrong-row", f"{op} was given a Welcome that is nobody's")
            elif op.ok and any(c.t1 < op.t0 for c in confirmed if c.ok) and len(mine) == 1:
                self.report("wrong-answer", f"{op} was given a Welcome it had confirmed")
            elif not op.ok and not confirmed and any(acked < op.t0 for acked, _ in mine):
                self.report("lost-welcome", f"{op} was told {op.answer.get('status')}")
        states_of = collections.defaultdict(list)
        for recipient in self.store.recipients:
            states_of[recipient[:3]].append(recipient.state)
        for convo, user, device in waiting:
            states = states_of[convo, user, device]
            if not confirms[convo, user, device] and states.count("pending") != 1:
                self.report("lost-welcome", f"{user} on {device} waits for one Welcome of {convo}; stored: {states}")
