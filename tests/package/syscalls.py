#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether the unit's system call filter allows all that the server calls: a start, requests and a stop under strace,
with each database. A call outside the filter would end the service."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/systemd/catbird-mls-server.service"
SERVER = ROOT / "build/release/src/catbird-mls-server"
# As root SQLite also sets the owner of its files.
AS_SERVICE = ["-u", "nobody"] if os.geteuid() == 0 else []
CEILING_SECONDS = 120  # Against hangs; not a measurement.


def members(group, seen=()):
    told = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    found = set()
    for word in re.findall(r"^\s+(@?[a-z0-9_-]+)$", told, re.M):
        if word.startswith("@"):
            found |= members(word, (*seen, group)) if word not in seen else set()
        else:
            found.add(word)
    return found


def allowed():
    calls = set()
    for value in re.findall(r"^SystemCallFilter=(.+)$", UNIT.read_text(encoding="utf-8"), re.M):
        deny, names = value.startswith("~"), value.lstrip("~").split()
        listed = set().union(*(members(name) if name.startswith("@") else {name} for name in names))
        calls = calls - listed if deny else calls | listed
    return calls


def traced(url):
    with tempfile.TemporaryDirectory() as folder:
        if AS_SERVICE:
            shutil.chown(folder, "nobody")
        log, trace = pathlib.Path(folder) / "log", pathlib.Path(folder) / "trace"
        with log.open("w", encoding="utf-8") as output:
            server = subprocess.Popen(
                ["strace", *AS_SERVICE, "-f", "-qq", "-o", str(trace), str(SERVER)], cwd=folder, stdout=output, stderr=output,
                env={"PATH": os.environ["PATH"], "DATABASE_URL": url, "SERVER_PORT": "0", "SERVICE_DID": "did:web:x.test"})
        deadline = time.monotonic() + CEILING_SECONDS
        while not (port := re.search(r"Server listening on [^\"]*:(\d+)\"", log.read_text(encoding="utf-8"))):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server did not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.02)
        for page in ("/health/ready", "/health", "/metrics"):
            urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{page}", timeout=CEILING_SECONDS).read()
        # strace passes on nothing: its child is the server.
        child = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True, check=True).stdout
        os.kill(int(child.split()[0]), signal.SIGTERM)
        server.wait(timeout=CEILING_SECONDS)
        return set(re.findall(r"^\d+\s+(?:<\.\.\. )?(\w+)(?:\(| resumed)", trace.read_text(encoding="utf-8"), re.M))


def main():
    good = allowed()
    if "read" not in good or "setrlimit" in good:
        sys.exit("the filter was not understood")
    bad = 0
    postgres = os.environ["CATBIRD_TEST_POSTGRES"]
    name = f"syscalls_{os.getpid()}"
    subprocess.run(["psql", "-Xq", postgres, "-c", f"CREATE DATABASE {name} TEMPLATE template0"], check=True)
    for url in ("sqlite:data/catbird.db", re.sub(r"/[^/]*$", f"/{name}", postgres)):
        called = traced(url)
        if "accept4" not in called and "accept" not in called:
            sys.exit("nothing was traced")
        for call in sorted(called - good):
            print(f"{url.split(':')[0]}: {call} is outside the unit's SystemCallFilter")
            bad += 1
    subprocess.run(["psql", "-Xq", postgres, "-c", f"DROP DATABASE {name} WITH (FORCE)"], check=True)
    print(f"{len(good)} system calls allowed, {bad} others needed")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
