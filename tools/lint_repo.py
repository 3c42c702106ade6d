#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What must hold for every tracked file: formatted, and naming no registry host or path of a machine."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Written so that this file does not contain them itself.
FORBIDDEN = re.compile("|".join((
    r"https?://registry\." + r"npmjs", r"deb\.debian" + r"\.org", r"/work" + r"/main", r"/work" + r"/shared",
    r"/tmp/build" + r"-", r"\"resolved\": \"https?:")))
TEXT = {".cpp", ".hpp", ".md", ".mjs", ".json", ".py", ".txt", ".cmake", ".sh", ".sql", ".example", ""}


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in names.decode().split("\0") if name]


def main():
    problems = 0
    sources = []
    for path in tracked():
        if not path.is_file():
            continue
        if path.suffix in (".cpp", ".hpp"):
            sources.append(str(path))
        if path.suffix not in TEXT or "corpus" in path.parts:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                print(f"{path.relative_to(ROOT)}:{number}: names a registry host or a path of a machine")
                problems += 1
    formatted = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *sources], cwd=ROOT)
    if formatted.returncode != 0:
        problems += 1
    print(f"{len(sources)} sources checked, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
