# SPDX-License-Identifier: MIT
"""What the stopped server left: the columns of src/storage/sqlite/migrations that a client can know of."""

import collections
import hashlib
import pathlib
import shutil
import sqlite3
import tempfile

KINDS = {1: "app", 2: "commit", 3: "proposal"}
Row = collections.namedtuple("Row", "position seq epoch kind id base tag committer sha")
Convo = collections.namedtuple("Convo", "id creator creation_epoch epoch next_seq rows members keys")
Member = collections.namedtuple("Member", "join_seq read_seq left_seq")
Package = collections.namedtuple("Package", "user device hash last_resort state reserved_by")
Recipient = collections.namedtuple("Recipient", "convo user device hash state epoch sha")


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Store:
    def __init__(self, path):
        # A copy, so that even reading its WAL changes nothing of what is being examined.
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "copy.db"
            for suffix in ("", "-wal"):
                if pathlib.Path(path + suffix).exists():
                    shutil.copyfile(path + suffix, str(copy) + suffix)
            database = sqlite3.connect(copy)
            (self.integrity,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            self._read(database)
            database.close()

    def _read(self, database):
        self.convos, by_id = {}, {}
        for row in database.execute(
                "SELECT id, convo_id, creator, creation_epoch, epoch, next_seq FROM conversation"):
            convo = Convo(*row[1:], rows=[], members={}, keys={})
            self.convos[convo.id] = by_id[row[0]] = convo
        for convo, *row, body in database.execute(
                "SELECT convo, position, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, body"
                " FROM message ORDER BY convo, seq, position"):
            row[3] = KINDS[row[3]]
            by_id[convo].rows.append(Row(*row, sha(body)))
        for convo, user, *marks in database.execute("SELECT convo, user, join_seq, read_seq, left_seq FROM member"):
            by_id[convo].members[user] = Member(*marks)
        for convo, user, key, seq, epoch in database.execute(
                "SELECT convo, user, key, seq, epoch FROM idempotency"):
            by_id[convo].keys[user, key] = (seq, epoch)
        self.packages = [Package(*row) for row in database.execute(
            "SELECT user, device, lower(hex(hash)), last_resort, state, reserved_by FROM key_package")]
        self.recipients = [Recipient(by_id[convo].id, *row, sha(body)) for convo, *row, body in database.execute(
            "SELECT r.convo, r.user, r.device, coalesce((SELECT lower(hex(p.hash)) FROM key_package p"
            " WHERE p.ref = r.ref), ''), r.state, w.epoch, w.body"
            " FROM welcome_recipient r JOIN welcome w ON w.id = r.welcome")]
