#!/usr/bin/env python3
"""Capacity model of Narthex, its simulation, and the measurement of its coefficients.

    python3 scale.py model --people 100000 --rate 5000 --nodes 3
    python3 scale.py simulate
    python3 scale.py measure target/dist/narthex

Standard library only. `model` prints what a load needs. `simulate` plays loads request by request, with caches that
expire and are full, and fails if the model is off by more than a tenth. `measure` starts a demo, which signs the tokens,
and a node, and prints the processor time of the node for each kind of decision.
"""

import argparse
import http.client
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict

# Processor time of a node for a decision, in microseconds, and memory, in bytes: what `measure` printed (see scale.md).
CACHED_US = 38.0
VERIFIED_US = 80.0
FIRST_USE_US = 1_375.0
CACHED_TOKEN_BYTES = 1_700
# `[cache] tokens`, 40 MiB.
CACHE_TOKENS = 40 * 1024 * 1024 // CACHED_TOKEN_BYTES
# The longest that an answer is cached.
CACHE_SECONDS = 60.0
# First uses that one database takes each second, if a flush to its disk takes 1 ms: see scale.md.
FIRST_USES_PER_SECOND = 1_000.0


def miss_ratio(rate, people, nodes, cache_tokens=CACHE_TOKENS):
    """Share of requests that have to be verified.

    An answer lives for 60 s from its making. With requests of a person at random times, `r` a second on one node, one of
    `1 + 60 r` requests finds none. If more people are active in 60 s than the cache holds, the oldest answers go, and
    the lifetime shrinks until the cache holds them.
    """
    per_person = rate / people / nodes
    lifetime = CACHE_SECONDS
    cached = people * per_person * lifetime / (1 + per_person * lifetime)
    if cached > cache_tokens:
        lifetime = cache_tokens / (per_person * (people - cache_tokens))
    return 1 / (1 + per_person * lifetime)


def model(people, rate, nodes, first_uses):
    """What a load needs: cores of all nodes together, commits, memory of each node."""
    missed = miss_ratio(rate, people, nodes)
    cores = (rate * ((1 - missed) * CACHED_US + missed * VERIFIED_US) + first_uses * FIRST_USE_US) / 1e6
    per_person = rate / people / nodes
    cached = min(CACHE_TOKENS, people * per_person * CACHE_SECONDS / (1 + per_person * CACHE_SECONDS))
    return {
        "verified": missed,
        "cores": cores,
        "cores_per_node": cores / nodes,
        "database": first_uses / FIRST_USES_PER_SECOND,
        "cached_tokens": cached,
        "cache_bytes": cached * CACHED_TOKEN_BYTES,
    }


class Node:
    """A node: its cache, in the order of making, and the processor time that it used."""

    def __init__(self, cache_tokens):
        self.cache, self.size, self.busy_us, self.verified = OrderedDict(), cache_tokens, 0.0, 0

    def decide(self, person, now):
        made = self.cache.get(person)
        if made is not None and now - made < CACHE_SECONDS:
            self.busy_us += CACHED_US
            return
        self.cache.pop(person, None)
        self.cache[person] = now
        if len(self.cache) > self.size:
            self.cache.popitem(last=False)
        self.busy_us += VERIFIED_US
        self.verified += 1


def simulate(people, rate, nodes, seconds, cache_tokens):
    """Plays requests of random people at random times, and returns the share verified and the cores used."""
    draw = random.Random(1)
    all_nodes = [Node(cache_tokens) for _ in range(nodes)]
    # The first minute fills the caches and does not count.
    now, counted, busy_before, verified_before = 0.0, 0, None, 0
    while now < CACHE_SECONDS + seconds:
        now += draw.expovariate(rate)
        if busy_before is None and now >= CACHE_SECONDS:
            busy_before = sum(node.busy_us for node in all_nodes)
            verified_before = sum(node.verified for node in all_nodes)
        all_nodes[draw.randrange(nodes)].decide(draw.randrange(people), now)
        counted += busy_before is not None
    busy = sum(node.busy_us for node in all_nodes) - busy_before
    verified = sum(node.verified for node in all_nodes) - verified_before
    return verified / counted, busy / 1e6 / (now - CACHE_SECONDS)


# People, requests a second, nodes, tokens that a cache holds.
LOADS = [
    (1_000, 500, 1, CACHE_TOKENS),
    (20_000, 2_000, 1, CACHE_TOKENS),
    (20_000, 2_000, 4, CACHE_TOKENS),
    (100_000, 5_000, 2, CACHE_TOKENS),
    (50_000, 4_000, 1, 10_000),
]


def run_simulation():
    print("| people | requests/s | nodes | cached tokens | verified: model | simulated | cores: model | simulated |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for people, rate, nodes, size in LOADS:
        told = miss_ratio(rate, people, nodes, size)
        cores = rate * ((1 - told) * CACHED_US + told * VERIFIED_US) / 1e6
        seen, used = simulate(people, rate, nodes, 120, size)
        worst = max(worst, abs(used - cores) / used)
        print(f"| {people:,} | {rate:,} | {nodes} | {size:,} | {told:.3f} | {seen:.3f} | {cores:.4f} | {used:.4f} |")
    print(f"\nThe model's cores are off by {worst:.1%} at most.")
    return 0 if worst <= 0.1 else 1


def processor_us(pid):
    """Processor time that a process has used, in microseconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    """Memory of a process that is its own (`RssAnon`)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def get(connection, target, token=None):
    connection.request("GET", target, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        sys.exit(f"{target}: {answer.status} {body}")
    return body


def wait_for(port):
    for _ in range(500):
        try:
            get_from = http.client.HTTPConnection("127.0.0.1", port)
            get_from.connect()
            return get_from
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


CONFIGURATION = """
[listen]
public = "127.0.0.1:{public}"
admin = "127.0.0.1:{admin}"
trusted_proxies = ["127.0.0.1"]
[[issuer]]
name = "demo"
issuer = "http://127.0.0.1:{issuer}"
discovery = true
audiences = ["narthex-demo"]
[issuer.tags]
claim = "groups"
[[organization]]
name = "acme"
external_member_groups = ["staff"]
[[organization]]
name = "globex"
external_member_groups = ["staff"]
[[route]]
path = "/x"
require = "authenticated"
"""


def measure(narthex, users, port):
    """Measures a node: first uses, new tokens of known users, and cached answers, over one connection."""
    folder = tempfile.mkdtemp(prefix="narthex-scale-")
    with open(f"{folder}/narthex.toml", "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(public=port + 4, admin=port + 5, issuer=port + 2))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    demo = subprocess.Popen([narthex, "demo", "--port", str(port)], **quiet)
    node = subprocess.Popen([narthex, "serve", "--config", f"{folder}/narthex.toml"], **quiet)
    try:
        issuer = wait_for(port + 2)
        wait_for(port + 4).close()

        def tokens():
            return [get(issuer, f"/token?sub=user{number}&groups=staff").strip() for number in range(users)]

        def ask(door, token):
            door.request("GET", "/.narthex/auth/caddy", headers={
                "Authorization": f"Bearer {token}", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/x",
                "X-Forwarded-Host": "a.test", "X-Forwarded-For": "192.0.2.1"})
            answer = door.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit(f"refused: {answer.status}")

        def cost(what, given):
            # A node closes a connection that is idle for 10 s, and making the tokens takes longer.
            door = wait_for(port + 4)
            before, memory = processor_us(node.pid), resident_bytes(node.pid)
            for token in given:
                ask(door, token)
            used = (processor_us(node.pid) - before) / len(given)
            grown = (resident_bytes(node.pid) - memory) / len(given)
            print(f"{what:<34} {used:8.1f} us  {grown:8.0f} bytes")

        first = tokens()
        time.sleep(1.1)  # Another `iat`, so that the tokens differ.
        second = tokens()
        cost("first use (user, two memberships)", first)
        cost("new token of a known user", second)
        cost("cached, many tokens", second * 5)
        cost("cached, one token", [second[0]] * users * 5)
        size = sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder) if name.startswith("narthex.db"))
        print(f"{'store, for each user':<34} {size / users:8.0f} bytes")
    finally:
        for process in (node, demo):
            process.terminate()
            process.wait()
    return 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("model")
    asked.add_argument("--people", type=int, default=100_000, help="people who are active in a minute")
    asked.add_argument("--rate", type=float, default=5_000, help="requests a second")
    asked.add_argument("--nodes", type=int, default=2)
    asked.add_argument("--first-uses", type=float, default=10, help="first uses and changed tokens a second")
    commands.add_parser("simulate")
    measured = commands.add_parser("measure")
    measured.add_argument("narthex")
    measured.add_argument("--users", type=int, default=2_000)
    measured.add_argument("--port", type=int, default=18080)
    given = arguments.parse_args()
    if given.command == "simulate":
        return run_simulation()
    if given.command == "measure":
        return measure(given.narthex, given.users, given.port)
    for name, value in model(given.people, given.rate, given.nodes, given.first_uses).items():
        print(f"{name:<16} {value:,.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
