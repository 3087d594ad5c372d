#!/usr/bin/env python3
"""10,000 requests held at once: what each costs, and how soon all are let go.

They meet a `hang` until the phase ends; then each goes on to the service and is answered. The
client sleeps over the end, so that it takes no processor time from anybody, and reads afterwards
when the kernel says each answer came. Every held request is passed on over a connection of its own,
so the program needs about twice as many open files as there are requests.

    cargo build --release && python3 benches/figures_hold.py
"""

import time

from figures_common import Connection, Drill, arguments, connect, machine, quantile
from figures_common import receive_all, service, table

SCENARIO = """
name: figures-hold
phases:
  - name: calm
    for: 2s
  - name: outage
    for: {hold}s
    faults:
      - hang: {{}}
        target: {{ path: /held }}
  - name: after
    for: 1h
"""
CALM = 2.0


def run(args, upstream, count):
    """One drill; a row of figures."""
    scenario = SCENARIO.format(hold=args.hold)
    with Drill(args, scenario, upstream, "--wait-for-traffic") as drill:
        # The first request starts the clock, so its times say when the phases begin and end.
        first = Connection(drill.port)
        first.ask()
        begun = (first.sent + first.came) / 2
        end = begun + CALM + args.hold
        time.sleep(CALM + 0.2)
        before, before_pss = drill.memory()
        connections = connect(drill.port, count)
        for connection in connections:
            connection.send("/held")
        sent = time.time()
        time.sleep(max(0.0, end - 2 - time.time()))
        held, held_pss = drill.memory()
        idle = drill.processor()
        time.sleep(1)
        idle = drill.processor() - idle
        spent = drill.processor()
        time.sleep(max(0.0, end - time.time()) + args.settle)
        spent = drill.processor() - spent
        missing = receive_all(connections, 30)
        late = [connection.came - end for connection in connections if connection.status == 200]
        early = sum(value < 0 for value in late)
        for connection in connections:
            connection.close()
    assert sent < end - 3, "the phase is too short for so many requests: use --hold"
    points = [min(late), *(quantile(late, q) for q in (0.5, 0.99)), max(late)]
    return [
        f"{count:,}",
        f"{len(late):,}",
        f"{(held - before) / count:,.0f}",
        f"{(held_pss - before_pss) / count:,.0f}",
        f"{held / 2**20:.0f}",
        f"{100 * idle:.0f} %",
        early,
        *(f"{value * 1000:,.0f}" for value in points),
        f"{spent / count * 1e6:,.0f}",
        missing + count - missing - len(late),
    ]


def main():
    args = arguments(__doc__, counts="100,1000,10000", hold=15, settle=6, rounds=3)
    print(machine())
    rows = []
    with service(args) as upstream:
        for count in map(int, args.counts.split(",")):
            rows += [run(args, upstream, count) for _ in range(args.rounds)]
    head = [
        "held",
        "answered 200",
        "B each (RSS)",
        "B each (PSS)",
        "RSS, MiB",
        "CPU while held",
        "early",
        "first answer, ms after the end",
        "p50",
        "p99",
        "last",
        "CPU us each to let go",
        "not answered so",
    ]
    table(head, rows)


if __name__ == "__main__":
    main()
