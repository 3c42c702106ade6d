#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the part of docs/api.md that lists every method with its fields, out of data/lexicon.

`--check` writes nothing and exits 1 if the part is not what the lexicon files say; `--self-test` demands that a changed
description is noticed."""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/api.md"
PREFIX = "blue.catbird.mls."
BEGIN = "<!-- methods:begin, written by tools/api_reference.py -->\n"
END = "<!-- methods:end -->\n"
# In the order of the page above. Every method must be in one of them.
FAMILIES = {
    "Conversations": ["createConvo", "addMembers", "removeMember", "leaveConvo", "processExternalCommit", "getGroupInfo",
                      "updateGroupInfo", "getConvos", "getEpoch", "getCommits", "getExpectedConversations"],
    "Messages": ["sendMessage", "getMessages", "updateCursor"],
    "Welcomes": ["getWelcome", "confirmWelcome", "validateWelcome", "invalidateWelcome"],
    "Key packages": ["publishKeyPackage", "publishKeyPackages", "getKeyPackages", "getKeyPackageStats",
                     "getKeyPackageStatus", "getKeyPackageHistory", "syncKeyPackages"],
    "Devices": ["registerDevice", "listDevices", "deleteDevice", "validateDeviceState", "registerDeviceToken",
                "unregisterDeviceToken", "getPendingDeviceAdditions", "claimPendingDeviceAddition",
                "completePendingDeviceAddition"],
    "Finding each other": ["optIn", "optOut", "getOptInStatus", "sendChatRequest", "listChatRequests", "getRequestCount",
                           "acceptChatRequest", "declineChatRequest", "blockChatSender", "getChatRequestSettings",
                           "updateChatRequestSettings"],
    "Roles and policy": ["promoteAdmin", "demoteAdmin", "promoteModerator", "demoteModerator", "warnMember", "getPolicy",
                         "updatePolicy"],
    "Reports and invites": ["reportMember", "getReports", "resolveReport", "getAdminStats", "createInvite", "listInvites",
                            "revokeInvite"],
    "Blocks": ["checkBlocks", "getBlockStatus", "handleBlockChange"],
    "When a client lost its group": ["groupInfoRefresh", "readdition", "rejoin"],
    "Events": ["streamConvoEvents", "getSubscriptionTicket", "subscribeConvoEvents"],
}


def load():
    files = sorted((ROOT / "data/lexicon").glob(PREFIX + "*.json"))
    return {path.stem[len(PREFIX):]: json.loads(path.read_text(encoding="utf-8")) for path in files}


def kind_of(schema):
    """A schema in a word or two."""
    kind = schema["type"]
    if kind == "array":
        return kind_of(schema["items"]) + "[]"
    if kind == "ref":
        return schema["ref"].removeprefix(PREFIX).removeprefix("#")
    if kind == "union":
        return " or ".join(kind_of({"type": "ref", "ref": ref}) for ref in schema["refs"])
    return schema.get("format", kind)


def bounds_of(schema):
    words = []
    item = schema.get("items", schema)
    if "knownValues" in item or "enum" in item:
        words.append(", ".join(f"`{value}`" for value in item.get("knownValues", item.get("enum"))))
    for key, text in (("minimum", "at least {}"), ("maximum", "at most {}"), ("maxLength", "up to {}"),
                      ("default", "else {}")):
        if key in schema:
            words.append(text.format(f"`{schema[key]}`" if key == "default" else f"{schema[key]:,}"))
    text = "; ".join(words)
    return text[:1].upper() + text[1:] + ("." if text else "")


def rows_of(schema):
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kind = kind_of(field) + ("" if name in required else ", optional")
        bounds = bounds_of(field)
        yield f"| `{name}` | {kind} | {field.get('description', '')}{' ' + bounds if bounds else ''} |"


def table(title, schema):
    rows = list(rows_of(schema))
    return [f"{title}:", "", "| Field | Type | |", "|---|---|---|", *rows, ""] if rows else []


def method_text(name, document):
    main = document["defs"]["main"]
    verb = {"query": "GET", "procedure": "POST", "subscription": "WebSocket"}[main["type"]]
    lines = [f"#### {verb} {name}", "", main["description"], ""]
    asked = main.get("parameters") or main.get("input", {}).get("schema")
    if asked and asked["type"] != "ref":
        lines += table("Asks", asked)
    answer = main.get("output", {}).get("schema")
    if answer and answer["type"] == "ref":
        lines += [f"Answers `{kind_of(answer)}`.", ""]
    elif answer:
        lines += table("Answers", answer)
    errors = main.get("errors", [])
    if errors:
        lines += ["Errors:", "", *(f"- `{one['name']}`: {one['description']}" for one in errors), ""]
    return lines + shapes_text(name, document, level="#####")


def shapes_text(name, document, level):
    lines = []
    for shape, schema in document["defs"].items():
        if shape == "main":
            continue
        lines += [f"{level} {name}#{shape}" if name.endswith("defs") else f"{level} {shape}", ""]
        if "description" in schema:
            lines += [schema["description"], ""]
        lines += table("Holds", schema) if schema["type"] == "object" else [f"A {kind_of(schema)}. {bounds_of(schema)}", ""]
    return lines


def reference(lexicon):
    methods = [name for name in lexicon if "main" in lexicon[name]["defs"]]
    listed = [name for family in FAMILIES.values() for name in family]
    if sorted(listed) != sorted(methods):
        sys.exit(f"FAMILIES and data/lexicon differ in {sorted(set(listed) ^ set(methods))}")
    lines = []
    for family, names in FAMILIES.items():
        lines += [f"### {family}, field by field", ""]
        for name in names:
            lines += method_text(name, lexicon[name])
    lines += ["### Shapes of several methods", ""]
    for name in lexicon:
        if name not in methods:
            lines += shapes_text(name, lexicon[name], level="####")
    return "\n".join(lines)


def page_with(text):
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if END not in rest:
        sys.exit(f"{PAGE.relative_to(ROOT)} has lost its marks")
    return page, before + BEGIN + "\n" + text + "\n" + END + after


def main():
    lexicon = load()
    if "--self-test" in sys.argv:
        before = reference(lexicon)
        lexicon["getEpoch"]["defs"]["main"]["description"] = "Something else."
        return 0 if reference(lexicon) != before else 1
    page, wanted = page_with(reference(lexicon))
    if "--check" in sys.argv:
        if page != wanted:
            print("docs/api.md is not what data/lexicon says: run tools/api_reference.py")
        return 0 if page == wanted else 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
