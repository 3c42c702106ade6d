#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the planted bugs of tests/mutants/mutants.tsv against what must find them.

--check: only compares the list with the mutant("...") calls in src/, both ways.
--absent BINARY: only proves that a binary was built without them.
--record: writes into the list what each was found by this time.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/mutants/mutants.tsv"
NODE = ROOT / "tests/integration/node"
HANG_SECONDS = 300  # A mutant that makes its finder hang is found, too.
LINES_SHOWN = 160  # characters

# Each must pass without a mutant. `{build}` is the build folder.
FINDERS = {
    "sim": ["{build}/tests/catbird-sim", "--seeds", "400"],
    "unit_core": ["{build}/tests/catbird_test_unit_core", "--gtest_brief=1"],
    "unit_actors": ["{build}/tests/catbird_test_unit_actors", "--gtest_brief=1"],
    "unit_xrpc": ["{build}/tests/catbird_test_unit_xrpc", "--gtest_brief=1"],
    "contract_storage": ["{build}/tests/catbird_test_contract_storage", "--gtest_brief=1"],
    "crash": ["{build}/tests/catbird-crash", "--cuts", "200"],
    "race": [str(NODE / "node_modules/.bin/node"), "--test", "--test-reporter=spec",
             "--test-name-pattern=first time", str(NODE / "races/races.test.mjs")],
    "owners": [str(NODE / "node_modules/.bin/node"), "--test", "--test-reporter=spec",
               str(NODE / "owners/owners.test.mjs")],
}
RACE_ENVIRONMENT = {
    "CATBIRD_SERVER_BINARY": "{build}/src/catbird-mls-server",
    "CATBIRD_RACE_BINARY": "{build}/tests/catbird-race",
    "CATBIRD_TEST_MODES": "actors",
    "CATBIRD_RACE_PART": "0.1",
}
# The line that says what was found.
TELLING = re.compile(r"seed \d+|: Failure|check failed|violation|✖|broken|^\[  FAILED")


def mutants():
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, finder, _, what = line.split("\t")
            yield name, finder, what


def record(told):
    """The third column: the seed, or the check, that found it."""
    lines = []
    for line in LIST.read_text().splitlines():
        cells = line.split("\t")
        if not line.startswith("#") and cells[0] in told:
            seed = re.search(r"seed \d+", told[cells[0]])
            place = re.search(r"\w+\.test\.cpp:\d+", told[cells[0]])
            cells[2] = seed[0] if seed else place[0] if place else told[cells[0]].split(" (")[0]
        lines.append("\t".join(cells))
    LIST.write_text("\n".join(lines) + "\n")


def check():
    planted = set()
    for path in (ROOT / "src").rglob("*.[ch]pp"):
        planted |= set(re.findall(r'\bmutant\("(\w+)"\)', path.read_text()))
    listed = [name for name, _, _ in mutants()]
    problems = [f"{name}: listed twice" for name in set(listed) if listed.count(name) > 1]
    problems += [f"{name}: in src/, not in {LIST.name}" for name in sorted(planted - set(listed))]
    problems += [f"{name}: in {LIST.name}, not in src/" for name in sorted(set(listed) - planted)]
    problems += [f"{name}: unknown finder {finder}" for name, finder, _ in mutants() if finder not in FINDERS]
    for problem in problems:
        print(problem)
    return not problems


def present(binary):
    """The name of the switch is in every binary that has one, and in no other."""
    return b"CATBIRD_MUTANT" in pathlib.Path(binary).read_bytes()


def run(build, finder, mutant):
    """(passed, the telling line)"""
    command = [part.format(build=build) for part in FINDERS[finder]]
    environment = {**os.environ, "CATBIRD_MUTANT": mutant}
    environment.update({name: value.format(build=build) for name, value in RACE_ENVIRONMENT.items()})
    if finder == "race":
        environment.pop("CATBIRD_TEST_POSTGRES", None)  # on SQLite, as it was recorded
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace",
                              timeout=HANG_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False, "it hangs"
    if done.returncode == 0:
        return True, ""
    lines = (done.stdout + done.stderr).splitlines()
    telling = [line.strip() for line in lines if TELLING.search(line)]
    return False, (telling or lines or [f"exit {done.returncode}"])[0][:LINES_SHOWN]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--absent", metavar="BINARY")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutants")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.absent:
        found = present(arguments.absent)
        print(f"{arguments.absent} {'HOLDS planted bugs' if found else 'holds no planted bug'}")
        return 1 if found else 0
    if not check():
        return 1
    if arguments.check:
        return 0
    if not present(arguments.build / "tests/catbird_test_unit_core"):
        print(f"{arguments.build} was built without planted bugs")
        return 1
    arguments.build = arguments.build.resolve()
    chosen = [m for m in mutants() if not arguments.names or m[0] in arguments.names]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        finders = sorted({finder for _, finder, _ in chosen})
        for finder, (passed, line) in zip(finders, pool.map(lambda f: run(arguments.build, f, ""), finders)):
            if not passed:
                print(f"{finder} fails without any mutant: {line}")
                return 1
        found, told = 0, {}
        results = pool.map(lambda m: run(arguments.build, m[1], m[0]), chosen)
        for (name, finder, what), (passed, line) in zip(chosen, results):
            found += not passed
            told[name] = "missed" if passed else line
            print(f"{'MISSED' if passed else 'found '}  {name:30} {finder:17} {line or what}", flush=True)
    if arguments.record:
        record(told)
    print(f"found {found} of {len(chosen)}")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
