#!/usr/bin/env python3
"""How many a share of 17 % hits, as an independent client counts, and whether it sticks.

20,000 users ask twice, in another order the second time: a share of users has to hit the same ones
again. Then 20,000 requests of one user meet a share of requests. Each with several seeds. Beside
the counts: the exact binomial interval that holds 99 of 100 honest counts.

    cargo build --release && python3 benches/figures_share.py
"""

import math
import random
import select

from figures_common import Drill, arguments, connect, machine, service, table

SCENARIO = """
name: figures-share
seed: {seed}
phases:
  - name: outage
    for: 1h
    faults:
      - respond: 503
        share: 17% of {unit}
"""
SHARE = 0.17
SEEDS = [20130821, 1, 2, 3, 4]


def ask_all(port, users, workers=32):
    """One request by each user, over a few connections; the users that were hit."""
    hit = set()
    connections = connect(port, workers)
    poll = select.epoll()
    asking = {}
    left = iter(users)

    def next_on(connection):
        at, user = next(left, (None, None))
        if user is not None:
            asking[connection.fileno()] = (connection, at, user)
            connection.send("/", f"x-user-id: {user}\r\n")

    left = iter(enumerate(users))
    for connection in connections:
        poll.register(connection.fileno(), select.EPOLLIN)
        next_on(connection)
    while asking:
        for number, _ in poll.poll():
            connection, at, user = asking[number]
            if not connection.receive():
                continue
            assert connection.status in (200, 503), f"an answer of {connection.status}"
            if connection.status == 503:
                hit.add((at, user))
            del asking[number]
            next_on(connection)
    poll.close()
    for connection in connections:
        connection.close()
    return hit


def interval(n, p, beyond=0.005):
    """The counts between which a binomial falls but for `beyond` at each end."""
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
        for k in range(n + 1)
    ]
    below, low = 0.0, 0
    while below + math.exp(logs[low]) <= beyond:
        below += math.exp(logs[low])
        low += 1
    above, high = 0.0, n
    while above + math.exp(logs[high]) <= beyond:
        above += math.exp(logs[high])
        high -= 1
    return low, high


def main():
    args = arguments(__doc__, count=20_000)
    print(machine())
    low, high = interval(args.count, SHARE)
    rows = []
    with service(args) as upstream:
        for seed in SEEDS:
            users = [f"user-{at}" for at in range(args.count)]
            with Drill(args, SCENARIO.format(seed=seed, unit="users"), upstream) as drill:
                first = {user for _, user in ask_all(drill.port, users)}
                random.Random(seed).shuffle(users)
                again = {user for _, user in ask_all(drill.port, users)}
            with Drill(args, SCENARIO.format(seed=seed, unit="requests"), upstream) as drill:
                requests = len(ask_all(drill.port, ["one"] * args.count))
            changed = len(first ^ again)
            cells = [f"{count:,} ({100 * count / args.count:.2f} %)" for count in (len(first), requests)]
            inside = all(low <= count <= high for count in (len(first), requests))
            rows.append([seed, cells[0], changed, cells[1], "yes" if inside else "no"])
    head = [
        "seed",
        f"users hit of {args.count:,}",
        "changed the second time",
        f"requests hit of {args.count:,}",
        f"within {low:,} to {high:,}",
    ]
    table(head, rows)


if __name__ == "__main__":
    main()
