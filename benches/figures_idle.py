#!/usr/bin/env python3
"""What an idle keep-alive connection costs: each carried one request and waits for the next.

    cargo build --release && python3 benches/figures_idle.py
"""

import time

from figures_common import Connection, Drill, arguments, connect, machine, service, table

SCENARIO = """
name: figures-idle
phases:
  - name: outage
    for: 1h
    faults:
      - latency: 100ms
        target: { path: /slow }
"""


def run(args, upstream, count):
    """A fresh program; a row of figures."""
    with Drill(args, SCENARIO, upstream) as drill:
        Connection(drill.port).ask()
        time.sleep(0.5)
        before, before_pss = drill.memory()
        connections = connect(drill.port, count)
        for connection in connections:
            assert connection.ask() == 200, "an answer is missing"
        # Connections to the service are given up a while after they were needed.
        time.sleep(3)
        after, after_pss = drill.memory()
        spent = drill.processor()
        time.sleep(2)
        spent = drill.processor() - spent
        for connection in connections:
            connection.close()
    return [
        f"{count:,}",
        f"{before / 2**20:.1f}",
        f"{after / 2**20:.1f}",
        f"{(after - before) / count:,.0f}",
        f"{(after_pss - before_pss) / count:,.0f}",
        f"{50 * spent:.1f} %",
    ]


def main():
    args = arguments(__doc__, counts="5000,5000,5000")
    print(machine())
    with service(args) as upstream:
        rows = [run(args, upstream, int(count)) for count in args.counts.split(",")]
    head = ["connections", "RSS before, MiB", "RSS, MiB", "B each (RSS)", "B each (PSS)", "CPU"]
    table(head, rows)


if __name__ == "__main__":
    main()
