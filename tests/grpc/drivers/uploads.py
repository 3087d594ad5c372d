"""The official client of Python streaming its requests: `COUNT` messages of `SIZE` bytes to `Sum`, within
`DEADLINE` seconds. Tells the code, how long it took, and how many messages were taken from it."""

import os
import sys
import time

import grpc


def number(size):
    """`Number { value: 1, filling }` of protobuf, in so many bytes, or in two if they are few."""
    if size < 200:
        return bytes([8, 1])
    filling = size - 5
    return bytes([8, 1, 18, filling & 0x7F | 0x80, filling >> 7]) + bytes(filling)


def main():
    count, size, deadline = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    address = os.environ["FIREDRILL_URL"].removeprefix("http://")
    taken = 0

    def messages():
        nonlocal taken
        for _ in range(count):
            taken += 1
            yield number(size)

    with grpc.insecure_channel(address) as channel:
        total = channel.stream_unary("/test.Counting/Sum")
        began = time.monotonic()
        try:
            total(messages(), timeout=deadline)
            code = "OK"
        except grpc.RpcError as error:
            code = error.code().name
        print("told", code, time.monotonic() - began, taken, flush=True)


main()
