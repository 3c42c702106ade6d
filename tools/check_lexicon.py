#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds data/lexicon to three things, prints one line for each offence, exits 1 if there is any.

1. The files are sound: one id per file, every ref leads somewhere.
2. They describe the interface clients already speak. Where that interface's own files are at hand
   (CATBIRD_SHARED, default ../shared; lexicons/v1 wins over lexicons/seed), they are compared field
   by field, descriptions aside. A difference must be listed in data/lexicon/DEVIATIONS.json with
   its reason, and everything listed there must be a real difference.
3. They are what the server serves: every NSID in src/xrpc/endpoint_table.cpp has a file and every
   file of a method is in that table; every error name in src/xrpc/error_table.cpp is declared by
   some method or is a general one, and every declared name can come out of that table or is named
   below as kept for clients only.

`--self-test` plants offences in copies and demands that each is found.
"""

import copy
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PREFIX = "blue.catbird.mls."
TABLE = ROOT / "src/xrpc/endpoint_table.cpp"
ERROR_TABLE = ROOT / "src/xrpc/error_table.cpp"
DEFS_ONLY = {"defs", "message.defs"}  # Files that hold no method.
# Any method may answer these, so no method declares them.
GENERAL_ERRORS = {"InvalidRequest", "Conflict", "AuthenticationRequired", "RateLimitExceeded",
                  "TemporarilyUnavailable", "Overloaded", "InternalServerError", "StorageCorrupt",
                  "MethodNotImplemented", "AccountTakedown"}
# Older clients know these; this server says the same thing under another name, or never.
KEPT_FOR_CLIENTS = {"ConvoNotFound", "ConversationNotFound", "LastMember",
                    "InvalidAsset", "InvalidBatch",
                    "KeyPackageAlreadyConsumed", "KeyPackageReserved"}


def load_folder(folder: pathlib.Path) -> dict:
    """Method name (the NSID's last part) -> parsed file."""
    files = sorted(folder.glob(f"{PREFIX}*.json"))
    return {path.name[len(PREFIX):-len(".json")]: json.loads(path.read_text()) for path in files}


def refs_in(value):
    if isinstance(value, dict):
        if value.get("type") == "ref":
            yield value["ref"]
        if value.get("type") == "union":
            yield from value["refs"]
        for inner in value.values():
            yield from refs_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from refs_in(inner)


def check_sound(ours: dict):
    for name, document in ours.items():
        if document.get("id") != PREFIX + name:
            yield f"{name}: its id is {document.get('id')}, not {PREFIX + name}"
        if document.get("lexicon") != 1:
            yield f"{name}: \"lexicon\" must be 1"
        for ref in refs_in(document.get("defs", {})):
            nsid, _, fragment = ref.partition("#")
            target = name if not nsid else nsid.removeprefix(PREFIX)
            if (fragment or "main") not in ours.get(target, {}).get("defs", {}):
                yield f"{name}: ref {ref} leads nowhere"


def is_description(key: str, parent: str) -> bool:
    # A property may itself be called "description"; its value is a schema, not a text. `parent` is
    # the key under which the object that has `key` stands.
    return key == "description" and parent != "properties"


def named_items(value: list):
    """A list as (name -> item): lists here are sets of scalars, or errors that have names."""
    return {item["name"] if isinstance(item, dict) else str(item): item for item in value}


def differences(theirs, ours, path="", parent=""):
    """Yields (path, change, their value, our value); a whole new or lost subtree counts once."""
    if isinstance(theirs, list) and isinstance(ours, list):
        left, right, form = named_items(theirs), named_items(ours), "{}[{}]"
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        left = {key: v for key, v in theirs.items() if not is_description(key, parent)}
        right = {key: v for key, v in ours.items() if not is_description(key, parent)}
        form = "{}.{}"
    else:
        if theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
            yield path, "changed", theirs, ours
        return
    for key in sorted(left.keys() | right.keys()):
        inner = form.format(path, key).lstrip(".")
        if key not in left:
            yield inner, "added", None, right[key]
        elif key not in right:
            yield inner, "removed", left[key], None
        else:
            yield from differences(left[key], right[key], inner, key)


def without_empty_required(value):
    """An absent `required`, `errors` or `properties` says the same as an empty one."""
    if isinstance(value, list):
        return [without_empty_required(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    cleaned = {key: without_empty_required(inner) for key, inner in value.items()}
    if cleaned.get("type") == "object":
        cleaned.setdefault("required", [])
        cleaned.setdefault("properties", {})
    if cleaned.get("type") == "params":
        cleaned.setdefault("required", [])
    if cleaned.get("type") in ("query", "procedure"):
        cleaned.setdefault("errors", [])
    return cleaned


def all_differences(theirs: dict, ours: dict) -> dict:
    """(method, path) -> (change, their value, our value)."""
    found = {}
    for name, document in ours.items():
        if name not in theirs:
            found[name, ""] = ("added", None, None)
            continue
        left = without_empty_required(theirs[name]["defs"])
        right = without_empty_required(document["defs"])
        for path, change, old, new in differences(left, right):
            found[name, path] = (change, old, new)
    return found


def check_listed(deviations: list):
    seen = set()
    for entry in deviations:
        key = (entry.get("method"), entry.get("path"))
        if key in seen:
            yield f"DEVIATIONS.json: {key[0]} {key[1]} is listed twice"
        seen.add(key)
        if not str(entry.get("reason", "")).strip():
            yield f"DEVIATIONS.json: {key[0]} {key[1]} gives no reason"


def check_differences(theirs: dict, ours: dict, deviations: list):
    found = all_differences(theirs, ours)
    listed = {(entry["method"], entry["path"]): entry for entry in deviations}
    for (name, path), (change, old, new) in sorted(found.items()):
        entry = listed.get((name, path))
        if entry is None:
            shown = f" ({json.dumps(old)} -> {json.dumps(new)})" if change == "changed" else ""
            yield f"{name}: {path or 'the file'} {change}{shown}: not in DEVIATIONS.json"
        elif entry["change"] != change:
            yield f"{name}: {path} is {change}, DEVIATIONS.json says {entry['change']}"
        elif change == "changed" and (entry.get("from"), entry.get("to")) != (old, new):
            yield f"{name}: {path} goes from {old} to {new}, DEVIATIONS.json says otherwise"
    for name, path in sorted(listed.keys() - found.keys()):
        yield f"DEVIATIONS.json: {name} {path} is no difference"


def nsids_in_table(text: str) -> list:
    return re.findall(r"\{\s*\"" + re.escape(PREFIX) + r"(\w+)\"", text)


def check_table(table: str, ours: dict):
    served = nsids_in_table(table)
    for name in sorted({name for name in served if served.count(name) > 1}):
        yield f"endpoint_table.cpp: {PREFIX}{name} stands there twice"
    for name in sorted(set(served) - ours.keys()):
        yield f"endpoint_table.cpp: {PREFIX}{name} has no file in data/lexicon"
    for name in sorted(ours.keys() - set(served) - DEFS_ONLY):
        yield f"{name}: not in src/xrpc/endpoint_table.cpp"


def check_errors(table: str, ours: dict):
    emitted = set(re.findall(r"\{Errc::\w+,\s*\d+,\s*\"(\w+)\"", table))
    declared = {error["name"] for document in ours.values()
                for error in document["defs"].get("main", {}).get("errors", [])}
    for name in sorted(emitted - declared - GENERAL_ERRORS):
        yield f"error_table.cpp: {name} is declared by no method and is no general error"
    for name in sorted(declared - emitted - KEPT_FOR_CLIENTS):
        yield f"data/lexicon: the error {name} is declared, and no row of error_table.cpp says it"
    for name in sorted(declared & GENERAL_ERRORS):
        yield f"data/lexicon: {name} is a general error and need not be declared"


def interface_as_known():
    """The other side's files, the last version of each, or None if they are not at hand."""
    shared = pathlib.Path(os.environ.get("CATBIRD_SHARED") or ROOT.parent / "shared")
    folders = [shared / "lexicons/seed", shared / "lexicons/v1"]
    if not all(folder.is_dir() for folder in folders):
        return None
    return {**load_folder(folders[0]), **load_folder(folders[1])}


def run() -> int:
    ours = load_folder(ROOT / "data/lexicon")
    deviations = json.loads((ROOT / "data/lexicon/DEVIATIONS.json").read_text())
    problems = [*check_sound(ours), *check_listed(deviations)]
    theirs = interface_as_known()
    if theirs is None:
        print("SKIP: CATBIRD_SHARED has no lexicons; the comparison with v1 and seed was not made")
    else:
        problems += check_differences(theirs, ours, deviations)
    for path, check in ((TABLE, check_table), (ERROR_TABLE, check_errors)):
        if path.is_file():
            problems += check(path.read_text(), ours)
        else:
            print(f"SKIP: {path.relative_to(ROOT)} does not exist; not compared")
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{len(ours)} lexicon files, {len(deviations)} listed deviations: sound")
    return 1 if problems else 0


def self_test() -> int:
    theirs = {
        "defs": {"lexicon": 1, "id": PREFIX + "defs", "defs": {"view": {
            "type": "object", "required": ["id"], "description": "theirs",
            "properties": {"id": {"type": "string", "maxLength": 26},
                           "description": {"type": "string", "maxLength": 9}}}}},
        "get": {"lexicon": 1, "id": PREFIX + "get", "defs": {"main": {
            "type": "query", "errors": [{"name": "Gone", "description": "theirs"}],
            "output": {"encoding": "application/json",
                       "schema": {"type": "ref", "ref": PREFIX + "defs#view"}}}}},
    }
    table = '    {"blue.catbird.mls.get", Verb::get, handle_get},\n'
    missed = []

    def expect(what: str, needle: str, problems):
        if not any(needle in problem for problem in problems):
            missed.append(f"self-test: {what}: nothing said \"{needle}\"")

    def mutated(change) -> dict:
        ours = copy.deepcopy(theirs)
        change(ours)
        return ours

    def compared(change, deviations=()):
        return list(check_differences(theirs, mutated(change), list(deviations)))

    def view(ours):
        return ours["defs"]["defs"]["view"]

    def reword(ours):
        view(ours)["description"] = "ours"
        ours["get"]["defs"]["main"]["errors"][0]["description"] = "ours"

    clean = [*compared(reword), *check_sound(theirs), *check_table(table, theirs)]
    if clean:
        missed.append(f"self-test: a clean pair was refused: {clean}")
    expect("longer field", "maxLength changed (26 -> 36)",
           compared(lambda o: view(o)["properties"]["id"].update(maxLength=36)))
    expect("a property named description", "properties.description.maxLength changed",
           compared(lambda o: view(o)["properties"]["description"].update(maxLength=8)))
    expect("new field", "view.properties.extra added",
           compared(lambda o: view(o)["properties"].update(extra={"type": "string"})))
    expect("lost field", "view.properties.id removed",
           compared(lambda o: view(o)["properties"].pop("id")))
    expect("required dropped", "required[id] removed", compared(lambda o: view(o).pop("required")))
    expect("new error", "errors[New] added",
           compared(lambda o: o["get"]["defs"]["main"]["errors"].append({"name": "New"})))
    expect("lost error", "errors[Gone] removed",
           compared(lambda o: o["get"]["defs"]["main"].pop("errors")))
    expect("unknown method", "the file added",
           compared(lambda o: o.update(more={"defs": {}})))
    listed = {"method": "defs", "path": "view.properties.id.maxLength", "change": "changed",
              "from": 26, "to": 40, "reason": "r"}
    expect("listed with another value", "DEVIATIONS.json says otherwise",
           compared(lambda o: view(o)["properties"]["id"].update(maxLength=36), [listed]))
    expect("listed but not there", "is no difference", compared(reword, [listed]))
    expect("no reason", "gives no reason", check_listed([{**listed, "reason": " "}]))
    expect("listed twice", "listed twice", check_listed([listed, listed]))
    expect("wrong id", "its id is", check_sound(mutated(lambda o: o["get"].update(id="x"))))
    expect("dangling ref", "leads nowhere",
           check_sound(mutated(lambda o: o["defs"]["defs"].pop("view"))))
    expect("served without a file", "has no file", check_table(table + '{"blue.catbird.mls.put",', theirs))
    expect("served twice", "twice", check_table(table + table, theirs))
    expect("file without a route", "not in src/xrpc", check_table("", theirs))
    row = '{Errc::gone, 404, "%s", "text", 0},'
    expect("undeclared error", "Lost is declared by no method", check_errors(row % "Lost", theirs))
    expect("error never said", "Gone is declared, and no row", check_errors("", theirs))
    if list(check_errors(row % "Gone" + row % "Conflict", theirs)):
        missed.append("self-test: sound errors were refused")
    for line in missed:
        print(line)
    if not missed:
        print("self-test: every planted offence was found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv[1:] else run())
