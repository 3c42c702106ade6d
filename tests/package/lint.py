#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What can be known of the deployment files without an engine for containers: each rule is a function of the
files' texts that gives its complaints, and must find each fault that is planted against it."""

import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = "packaging/systemd/catbird-mls-server.service"
EXPOSURE_MAX = 1.5
# In compose files and images, but not the server's.
FOREIGN = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"}


class Files:
    def __init__(self, changed=None):
        self.changed = changed or {}

    def text(self, name):
        return self.changed.get(name) or (ROOT / name).read_text(encoding="utf-8")


def known_variables():
    """Those that the program itself names."""
    return set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', (ROOT / "src/app/config.cpp").read_text(encoding="utf-8")))


def unit(files):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / pathlib.Path(UNIT).name
        # Only what this machine lacks is replaced.
        path.write_text(files.text(UNIT).replace("/usr/bin/catbird-mls-server", "/bin/true"), encoding="utf-8")
        told = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
        for line in told.stderr.splitlines():
            if path.name in line and "Unknown user" not in line:
                yield f"verify: {line.strip()}"
        told = subprocess.run(["systemd-analyze", "security", "--offline=true", str(path)], capture_output=True, text=True, check=False)
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
        if not found:
            yield f"no exposure in: {told.stdout[-200:]}{told.stderr[-200:]}"
        elif float(found[1]) > EXPOSURE_MAX:
            yield f"exposure {found[1]}, more than {EXPOSURE_MAX}"
    if re.search("^ProcSubset=pid", files.text(UNIT), re.M):
        yield "ProcSubset=pid hides the boot's id, by which used tokens are known to be complete"


def environment_file(files):
    names = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", files.text("packaging/deb/env"), re.M)
    if "SERVICE_DID" not in names:
        yield "SERVICE_DID is not in the package's configuration"
    for name in sorted(set(names) - known_variables()):
        yield f"packaging/deb/env: the server knows no {name}"


def compose(files):
    try:
        told = yaml.safe_load(files.text("docker-compose.yml"))
    except yaml.YAMLError as error:
        yield f"no YAML: {error}"
        return
    services = told.get("services", {})
    if set(services) != {"server", "postgres", "redis"}:
        yield f"services: {sorted(services)}"
        return
    for name, service in services.items():
        if service.get("restart") != "unless-stopped":
            yield f"{name}: no restart policy"
        if "test" not in service.get("healthcheck", {}):
            yield f"{name}: no health check"
        for volume in service.get("volumes", []):
            if volume.split(":")[0] not in told.get("volumes", {}):
                yield f"{name}: unknown volume {volume}"
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: {port} is open to everyone"
        if service.get("networks") != ["catbird"]:
            yield f"{name}: not on the common network"
    server = services["server"]
    for name in ("DATABASE_URL", "REDIS_URL", "RUST_LOG", "JWT_SECRET", "SERVER_PORT", "SERVICE_DID", "ENABLE_ACTOR_SYSTEM"):
        if name not in server.get("environment", {}):
            yield f"server: no {name}"
    for name in sorted(set(server.get("environment", {})) - known_variables() - FOREIGN):
        yield f"server: it knows no {name}"
    if server.get("depends_on", {}).get("postgres", {}).get("condition") != "service_healthy":
        yield "server: does not wait for PostgreSQL"
    home = re.search(r"^VOLUME (\S+)", files.text("packaging/Dockerfile"), re.M)
    if not home or f"server:{home[1]}" not in server.get("volumes", []):
        yield "server: its data is not on a volume"
    if not (ROOT / server["build"]["dockerfile"]).exists():
        yield "server: no such Dockerfile"


def dockerfile(files):
    text = re.sub(r"\\\n", " ", files.text("packaging/Dockerfile"))
    stages = re.split(r"^FROM ", text, flags=re.M)[1:]
    if len(stages) < 2:
        yield "not in several stages"
        return
    ignored = files.text(".dockerignore").splitlines()
    for stage in stages:
        base = stage.split()[0]
        if not re.fullmatch(r"debian:12(-slim)?", base):
            yield f"base image {base}"
        for line in re.findall(r"^COPY (?!--from)(.+)$", stage, re.M):
            for source in line.split()[:-1]:
                if not (ROOT / source).exists():
                    yield f"COPY {source}: not there"
                if f"!{source.split('/')[0]}" not in ignored:
                    yield f"COPY {source}: .dockerignore leaves it out"
    last = stages[-1]
    if re.findall(r"^USER (\S+)", last, re.M)[-1:] != ["catbird"]:
        yield "it runs as root"
    for word in ("HEALTHCHECK", "ENTRYPOINT", "VOLUME", "STOPSIGNAL SIGTERM", "EXPOSE 3000"):
        if not re.search(rf"^{word}\b", last, re.M):
            yield f"no {word}"
    for line in re.findall(r"^ENV (.+)$", last, re.M):
        for name in sorted(set(re.findall(r"(\w+)=", line)) - known_variables()):
            yield f"ENV: the server knows no {name}"


def caddyfile(files):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "Caddyfile"
        path.write_text(files.text("packaging/Caddyfile.example"), encoding="utf-8")
        told = subprocess.run(["caddy", "adapt", "--config", str(path), "--adapter", "caddyfile"],
                              capture_output=True, text=True, check=False)
        if told.returncode != 0:
            yield f"caddy: {told.stderr.strip()[-300:]}"
        elif '"max_size":16' not in told.stdout.replace(" ", "") or '"flush_interval":-1' not in told.stdout.replace(" ", ""):
            yield "caddy: the limit of bodies or the unbuffered stream is missing"


RULES = [unit, environment_file, compose, dockerfile, caddyfile]
# file, what stands there, what stands there instead
PLANTED = {
    unit: [(UNIT, "CapabilityBoundingSet=\n", ""), (UNIT, "SystemCallFilter=@system-service\n", ""), (UNIT, "PrivateTmp=", "PrivateTemp="),
           (UNIT, "ProtectProc=invisible", "ProtectProc=invisible\nProcSubset=pid")],
    environment_file: [("packaging/deb/env", "SERVER_PORT", "PORT_OF_SERVER"), ("packaging/deb/env", "SERVICE_DID", "DID")],
    compose: [("docker-compose.yml", "restart: unless-stopped", "restart: never"), ("docker-compose.yml", "  redis:\n    image", "  valkey:\n    image"),
              ("docker-compose.yml", "RUST_LOG:", "LOG:"), ("docker-compose.yml", '"127.0.0.1:3000:3000"', '"3000:3000"'),
              ("docker-compose.yml", "server:/var/lib", "other:/var/lib"), ("docker-compose.yml", "service_healthy", "service_started"),
              ("docker-compose.yml", "/var/lib/catbird-mls-server", "/data"), ("docker-compose.yml", "    healthcheck:", "    health:")],
    dockerfile: [("packaging/Dockerfile", "USER catbird\n", ""), ("packaging/Dockerfile", "COPY cmake cmake", "COPY make make"),
                 ("packaging/Dockerfile", "HEALTHCHECK", "# HEALTHCHECK"), ("packaging/Dockerfile", "FROM debian:12-slim", "FROM alpine"),
                 (".dockerignore", "!docs\n", ""), ("packaging/Dockerfile", "SERVER_HOST", "HOST")],
    caddyfile: [("packaging/Caddyfile.example", "reverse_proxy @stream", "reverse_prxy @stream"),
                ("packaging/Caddyfile.example", "flush_interval -1", "flush_interval 10s")],
}


def main():
    failed = False
    for rule in RULES:
        for complaint in rule(Files()):
            print(f"{rule.__name__}: {complaint}")
            failed = True
        for name, before, after in PLANTED[rule]:
            text = (ROOT / name).read_text(encoding="utf-8")
            if before not in text:
                print(f"{rule.__name__}: nothing to spoil in {name}: {before!r}")
                failed = True
            elif not list(rule(Files({name: text.replace(before, after, 1)}))):
                print(f"{rule.__name__}: does not see {after!r} instead of {before!r} in {name}")
                failed = True
    print(f"{len(RULES)} rules, {sum(map(len, PLANTED.values()))} planted faults: {'failed' if failed else 'ok'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
