"""What every driver here does with its client; `drive.mjs` and `rust/src/drive.rs` do the same.

First single operations for as long as the drill is calm, then several at once into the fault, each on
a path of its own. In the calm all have to go well; what they come to in the fault is not the driver's
business. A moment later it ends, and the drill with it: who went away from an answer that drips is seen
to be gone when the next byte is sent.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

# Not there when a driver is only asked for a version.
URL = os.environ.get("FIREDRILL_URL")


def drive(operation):
    """`operation` takes a method, a path and a JSON body, and raises what its client raises."""
    fault = os.environ["CLIENTS_CLASS"]
    calm, operations = float(os.environ["CLIENTS_CALM"]), int(os.environ["CLIENTS_OPERATIONS"])
    begun, number = None, 0
    while begun is None or time.monotonic() < begun + calm - 1.5:
        number += 1
        method = "POST" if number % 4 == 0 else "GET"
        operation(method, f"/op/calm/{number}", json.dumps({"operation": number}))
        # The drill began with the first request, so not after this.
        begun = begun or time.monotonic()
        time.sleep(0.08)
    time.sleep(max(0, begun + calm + 0.2 - time.monotonic()))

    def attempt(number):
        method = "GET" if number <= operations else "POST"
        try:
            operation(method, f"/op/{fault}/{number}", json.dumps({"operation": number}))
            print(f"{method} {number}: done")
        except Exception as error:
            print(f"{method} {number}: {error!r}"[:300])

    numbers = range(1, 2 * operations + 1)
    with ThreadPoolExecutor(max_workers=len(numbers)) as pool:
        list(pool.map(attempt, numbers))
    time.sleep(1.2)
