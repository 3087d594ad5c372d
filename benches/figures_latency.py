#!/usr/bin/env python3
"""How late a delay of 100 ms is: never early, and how far beyond, under 50 connections.

Half of the requests meet the fault and half do not, alternating on each connection, so that both
halves see the same load at the same time. `spread`: the connections send one after another, evenly.
`at once`: all of them send in the same moment.

    cargo build --release && python3 benches/figures_latency.py
"""

import heapq
import select
import time

from figures_common import Drill, arguments, connect, machine, quantile, service, table

SCENARIO = """
name: figures-latency
targets: { slow: { path: /slow } }
phases:
  - name: outage
    for: 1h
    faults:
      - latency: 100ms
        target: slow
"""
DELAY = 0.1
PERIOD = 0.25


def play(connections, rounds, spread):
    """Sends `rounds` requests on each connection; how long the slow and the fast ones took."""
    took = {"/slow": [], "/fast": []}
    poll = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    start = time.monotonic() + 0.1
    step = PERIOD / len(connections) if spread else 0.0
    due = [(start + at * step, at, 0) for at in range(len(connections))]
    heapq.heapify(due)
    under_way = {}
    while due or under_way:
        now = time.monotonic()
        while due and due[0][0] <= now:
            at, which, turn = heapq.heappop(due)
            path = "/slow" if (turn + which) % 2 else "/fast"
            connections[which].send(path)
            under_way[connections[which].fileno()] = path
            if turn + 1 < rounds:
                heapq.heappush(due, (at + PERIOD, which, turn + 1))
        wait = max(0.0, due[0][0] - time.monotonic()) if due else 1.0
        for number, _ in poll.poll(wait, 256):
            if by_number[number].receive():
                assert by_number[number].status == 200, "an answer is missing"
                took[under_way.pop(number)].append(by_number[number].took)
    poll.close()
    return took


def ms(seconds):
    return f"{seconds * 1000:.2f}"


def main():
    args = arguments(__doc__, connections=50, requests=1000)
    print(machine())
    rows = []
    with service(args) as upstream, Drill(args, SCENARIO, upstream) as drill:
        connections = connect(drill.port, args.connections)
        rounds = 2 * args.requests // args.connections
        for name, spread in [("spread", True), ("at once", False)]:
            took = play(connections, rounds, spread)
            for label, values, less in [
                (f"{name}, 100 ms", took["/slow"], DELAY),
                (f"{name}, no fault", took["/fast"], 0.0),
            ]:
                late = [value - less for value in values]
                points = [quantile(late, q) for q in (0.5, 0.9, 0.99)]
                early = sum(value < 0 for value in late)
                early = early if less else "–"
                rows.append(
                    [label, f"{len(late):,}", early, ms(min(late)), *map(ms, points), ms(max(late))]
                )
    head = ["load and fault", "requests", "early", "least", "p50", "p90", "p99", "most"]
    print("Milliseconds beyond the delay asked for, as the client sees them:\n")
    table(head, rows)


if __name__ == "__main__":
    main()
