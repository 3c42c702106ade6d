#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-tidy over every source under src/ of a build, two at a time, skipping what passed before unchanged.

A file counts as unchanged when it, every header of ours it includes, and .clang-tidy are. What passed
is remembered under the user's cache folder (CATBIRD_TIDY_CACHE), so a second run costs seconds.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
FOLDERS = (ROOT / "src", ROOT / "tests")


def closure(path, seen):
    """The file and all of ours that it includes, directly or not."""
    if path in seen:
        return seen
    seen.add(path)
    for name in INCLUDE.findall(path.read_text(errors="replace")):
        for folder in (path.parent, *FOLDERS):
            candidate = folder / name
            if candidate.is_file():
                closure(candidate.resolve(), seen)
                break
    return seen


def key_of(path, arguments):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    digest.update(re.sub(re.escape(str(ROOT)), "", arguments).encode())
    for part in sorted(closure(path, set())):
        digest.update(str(part.relative_to(ROOT)).encode())
        digest.update(part.read_bytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build folder with compile_commands.json")
    parser.add_argument("--all", action="store_true", help="tests/ too")
    parser.add_argument("files", nargs="*", help="only these")
    options = parser.parse_args()
    cache = pathlib.Path(os.environ.get("CATBIRD_TIDY_CACHE", pathlib.Path.home() / ".cache/catbird-tidy"))
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {str(pathlib.Path(name).resolve()) for name in options.files}

    jobs = []
    for entry in json.loads((pathlib.Path(options.build) / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"]).resolve()
        whole = options.all or wanted
        if not path.is_relative_to(ROOT / "src") and not (whole and path.is_relative_to(ROOT / "tests")):
            continue
        if wanted and str(path) not in wanted:
            continue
        key = key_of(path, entry["command"])
        if not (cache / key).exists():
            jobs.append((path, key))

    def run(job):
        path, key = job
        done = subprocess.run(["clang-tidy-19", "-p", options.build, "--quiet", str(path)],
                              capture_output=True, text=True)
        if done.returncode == 0:
            (cache / key).touch()
            return True
        print(done.stdout.strip() or done.stderr.strip(), flush=True)
        return False

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        passed = sum(pool.map(run, jobs))
    failed = len(jobs) - passed
    print(f"clang-tidy: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
