#!/usr/bin/env python3
"""How late a delay of 100 ms is where only bytes are understood, and what an idle connection costs.

Two proxies for TCP stand in front of one service, one with the fault and one without, and as many
connections to each send in turn, so that both halves see the same load at the same time.

    cargo build --release && python3 benches/figures_tcp.py
"""

import subprocess
import tempfile
import time

from figures_common import Drill, arguments, connect, free_port, machine, quantile, reachable
from figures_common import receive_all, service, table
from figures_latency import DELAY, PERIOD, ms

SCENARIO = """
name: figures-tcp
phases:
  - { name: outage, for: 1h, faults: [{ latency: 100ms, proxy: slow }] }
"""


class Proxies(Drill):
    """The program with a proxy that is slow and one that is fast."""

    def __init__(self, args, upstream):
        self.slow, self.fast = free_port(), free_port()
        self.folder = tempfile.TemporaryDirectory()
        address = upstream.removeprefix("http://").rstrip("/")
        proxy = "{{ listen: 127.0.0.1:{}, upstream: \"{}\", protocol: tcp }}"
        proxies = f"slow: {proxy.format(self.slow, address)}, fast: {proxy.format(self.fast, address)}"
        path = f"{self.folder.name}/scenario.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{SCENARIO}proxies: {{ {proxies} }}\n")
        command = [args.firedrill, "run", path, "--quiet"]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        reachable(self.slow)
        reachable(self.fast)


def delays(args, drill):
    """Milliseconds beyond the delay asked for, with the connections spread and all at once."""
    rows = []
    slow, fast = connect(drill.slow, args.connections), connect(drill.fast, args.connections)
    rounds = args.requests // args.connections
    for name, step in [("spread", PERIOD / args.connections), ("at once", 0.0)]:
        took = {"slow": [], "fast": []}
        for _ in range(rounds):
            for pair in zip(slow, fast):
                for connection in pair:
                    connection.send()
                if step:
                    time.sleep(step)
            assert receive_all(slow + fast) == 0, "an answer is missing"
            took["slow"] += [connection.took for connection in slow]
            took["fast"] += [connection.took for connection in fast]
        for label, values, less in [
            (f"{name}, 100 ms", took["slow"], DELAY),
            (f"{name}, no fault", took["fast"], 0.0),
        ]:
            late = [value - less for value in values]
            points = [quantile(late, q) for q in (0.5, 0.9, 0.99)]
            early = sum(value < 0 for value in late) if less else "–"
            rows.append(
                [label, f"{len(late):,}", early, ms(min(late)), *map(ms, points), ms(max(late))]
            )
    for connection in slow + fast:
        connection.close()
    return rows


def idle(drill, count):
    """What connections cost that carried one request and wait for the next."""
    connect(drill.fast, 1)[0].ask()
    time.sleep(0.5)
    before, _ = drill.memory()
    connections = connect(drill.fast, count)
    for connection in connections:
        assert connection.ask() == 200, "an answer is missing"
    time.sleep(1)
    after, _ = drill.memory()
    spent = drill.processor()
    time.sleep(2)
    spent = drill.processor() - spent
    for connection in connections:
        connection.close()
    return [f"{count:,}", f"{(after - before) / count:,.0f}", f"{50 * spent:.1f} %"]


def main():
    args = arguments(__doc__, connections=50, requests=1000, idle="5000,9800")
    print(machine())
    with service(args) as upstream:
        with Proxies(args, upstream) as drill:
            rows = delays(args, drill)
        counts = [int(count) for count in args.idle.split(",")]
        costs = []
        for count in counts:
            with Proxies(args, upstream) as drill:
                costs.append(idle(drill, count))
    print("Milliseconds beyond the delay asked for, as the client sees them:\n")
    table(["load and fault", "requests", "early", "least", "p50", "p90", "p99", "most"], rows)
    print()
    table(["idle connections", "B each (RSS)", "CPU"], costs)


if __name__ == "__main__":
    main()
