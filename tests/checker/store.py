# SPDX-License-Identifier: MIT
"""What the stopped server left: the columns of the migrations that a client can know of, out of SQLite
(a file) or PostgreSQL (a URL, read with psql)."""

import collections
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

KINDS = {1: "app", 2: "commit", 3: "proposal"}
SCHEMA = "catbird"
Row = collections.namedtuple("Row", "position seq epoch kind id base tag committer sha")
EMPTY = hashlib.sha256(b"").hexdigest()
Convo = collections.namedtuple("Convo", "id creator creation_epoch epoch next_seq first_seq rows members keys")
Member = collections.namedtuple("Member", "join_seq read_seq left_seq")
Package = collections.namedtuple("Package", "user device hash last_resort state reserved_by")
Recipient = collections.namedtuple("Recipient", "convo user device hash state epoch sha")


class Sqlite:
    user, sha, hexed = "user", "sha256({})", "lower(hex({}))"

    def __init__(self, path):
        # A copy, so that even reading its WAL changes nothing of what is being examined.
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "copy.db"
            for suffix in ("", "-wal"):
                if pathlib.Path(path + suffix).exists():
                    shutil.copyfile(path + suffix, str(copy) + suffix)
            self.database = sqlite3.connect(copy)
            self.database.create_function("sha256", 1, lambda data: hashlib.sha256(data).hexdigest())
            (self.integrity,) = self.database.execute("PRAGMA integrity_check(1)").fetchone()

    def rows(self, columns, rest):
        return self.database.execute(f"SELECT {', '.join(columns)} {rest}")

    def close(self):
        self.database.close()


class Postgres:
    user, sha, hexed = "user_did", "encode(sha256({}), 'hex')", "encode({}, 'hex')"

    def __init__(self, url):
        self.url = url
        self.integrity = "ok"
        try:
            # Every entry of every index stands in order and points at a row, and every row has its entry.
            self._ask("SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA public;"
                      "SELECT public.bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c"
                      " ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
                      f" WHERE n.nspname = '{SCHEMA}'")
        except subprocess.CalledProcessError as error:
            self.integrity = error.stderr.strip()

    def _ask(self, sql):
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url, "-c", sql],
            env={**os.environ, "PGOPTIONS": f"-c search_path={SCHEMA}"}, check=True, capture_output=True,
            encoding="utf-8").stdout

    def rows(self, columns, rest):
        # One line a row, whatever the texts hold.
        for line in self._ask(f"SELECT json_build_array({', '.join(columns)}) {rest}").splitlines():
            yield json.loads(line)

    def close(self):
        pass


class Store:
    def __init__(self, place):
        database = Postgres(place) if place.startswith("postgres") else Sqlite(place)
        self.integrity = database.integrity
        self._read(database)
        database.close()

    def _read(self, database):
        user, sha, hexed = database.user, database.sha.format, database.hexed.format
        self.convos, by_id = {}, {}
        for row in database.rows(["id", "convo_id", "creator", "creation_epoch", "epoch", "next_seq", "first_seq"],
                                 "FROM conversation"):
            convo = Convo(*row[1:], rows=[], members={}, keys={})
            self.convos[convo.id] = by_id[row[0]] = convo
        for convo, *row in database.rows(
                ["convo", "position", "seq", "epoch", "kind", "msg_id", "base_epoch", hexed("sender_tag"),
                 "committer", sha("body")], "FROM message ORDER BY convo, seq, position"):
            row[3] = KINDS[row[3]]
            by_id[convo].rows.append(Row(*row))
        for convo, name, *marks in database.rows(["convo", user, "join_seq", "read_seq", "left_seq"], "FROM member"):
            by_id[convo].members[name] = Member(*marks)
        for convo, name, key, seq, epoch in database.rows(["convo", user, "key", "seq", "epoch"], "FROM idempotency"):
            by_id[convo].keys[name, key] = (seq, epoch)
        self.packages = [Package(*row) for row in database.rows(
            [user, "device", hexed("hash"), "last_resort", "state", "reserved_by"], "FROM key_package")]
        self.recipients = [Recipient(by_id[convo].id, *row) for convo, *row in database.rows(
            ["r.convo", f"r.{user}", "r.device", "coalesce((SELECT " + hexed("p.hash") + " FROM key_package p"
             " WHERE p.ref = r.ref), '')", "r.state", "w.epoch", sha("w.body")],
            "FROM welcome_recipient r JOIN welcome w ON w.id = r.welcome")]
