"""The official client of Python, with a retry policy in its service config: four attempts at what is
UNAVAILABLE. Messages are their bytes, so that nothing is generated."""

import json
import os
import sys
import time

import grpc

CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "test.Counting"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def number(value):
    """`Number { value }` of protobuf, for values below 128."""
    return bytes([8, value])


def main():
    operations, address = int(sys.argv[1]), os.environ["FIREDRILL_URL"].removeprefix("http://")
    options = [("grpc.service_config", json.dumps(CONFIG)), ("grpc.enable_retries", 1)]
    with grpc.insecure_channel(address, options) as channel:
        double = channel.unary_unary("/test.Counting/Double")
        for value in range(1, operations + 1):
            try:
                print("ok", double(number(value), timeout=20).hex())
            except grpc.RpcError as error:
                print(error.code().name, error.details())
            time.sleep(0.05)


main()
