"""Drives every toxic through `toxiproxy-python` and sees its effect on a connection.

python client.py 127.0.0.1 8474
"""

import faulthandler
import socket
import sys
import threading
import time
from contextlib import contextmanager

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

PATIENCE = 20.0


def echo():
    """A service that sends back what it gets; says where it is."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := client.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        finally:
            client.close()

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def connect(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    client = socket.create_connection((host, int(port)), timeout=PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def hear(client, length):
    """What comes until so many bytes are there or the connection is over."""
    heard = b""
    while len(heard) < length:
        data = client.recv(65536)
        if not data:
            break
        heard += data
    return heard


def ask(client, length):
    """Sends bytes; says what came back and how long it took."""
    begun = time.monotonic()
    client.sendall(b"\7" * length)
    heard = hear(client, length)
    return len(heard), time.monotonic() - begun


@contextmanager
def takes(least, most):
    begun = time.monotonic()
    yield
    took = time.monotonic() - begun
    assert least - 0.001 <= took < most, "%.3f s is not within %s to %s s" % (took, least, most)


def latency(proxy):
    client = connect(proxy)
    proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 0})
    with takes(0.3, 1.5):
        ask(client, 10)
    assert proxy.get_toxic("latency_downstream").attributes == {"latency": 300, "jitter": 0}
    proxy.destroy_toxic("latency_downstream")
    with takes(0, 0.29):
        ask(client, 10)


def bandwidth(proxy):
    proxy.add_toxic(type="bandwidth", attributes={"rate": 100})
    with takes(0.9, 2.5):
        ask(connect(proxy), 100_000)


def slow_close(proxy):
    proxy.add_toxic(type="slow_close", attributes={"delay": 500})
    client = connect(proxy)
    ask(client, 10)
    with takes(0.5, 2.0):
        client.shutdown(socket.SHUT_WR)
        assert hear(client, 1) == b""


def timeout(proxy):
    proxy.add_toxic(type="timeout", attributes={"timeout": 500})
    with takes(0.5, 2.0):
        client = connect(proxy)
        heard, _ = ask(client, 10)
        assert heard == 0


def reset_peer(proxy):
    proxy.add_toxic(type="reset_peer", attributes={"timeout": 300})
    client = connect(proxy)
    with takes(0.3, 1.5):
        try:
            ask(client, 10)
        except ConnectionResetError:
            return
        raise AssertionError("it was not reset")


def slicer(proxy):
    attributes = {"average_size": 100, "size_variation": 50, "delay": 20_000}
    proxy.add_toxic(type="slicer", attributes=attributes)
    heard, took = ask(connect(proxy), 1000)
    assert heard == 1000 and 0.1 <= took < 3.0, (heard, took)


def limit_data(proxy):
    proxy.add_toxic(type="limit_data", attributes={"bytes": 1000})
    heard, _ = ask(connect(proxy), 5000)
    assert heard == 1000, heard


def noop(proxy):
    proxy.add_toxic(type="noop", name="nothing", stream="upstream", toxicity=0.5)
    assert ask(connect(proxy), 5000)[0] == 5000
    toxic = proxy.toxics()["nothing"]
    assert (toxic.stream, toxic.toxicity) == ("upstream", 0.5)


def fails(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind:
        return
    raise AssertionError("%s was not raised" % kind.__name__)


def proxies(toxiproxy, upstream):
    assert toxiproxy.running()
    assert toxiproxy.version() == b'{"version": "2.12.0"}\n', toxiproxy.version()
    made = toxiproxy.populate(
        [
            {"name": "one", "upstream": upstream, "listen": "127.0.0.1:0"},
            {"name": "two", "upstream": upstream, "listen": "127.0.0.1:0"},
        ]
    )
    assert [proxy.name for proxy in made] == ["one", "two"]
    fails(ProxyExists, toxiproxy.create, upstream=upstream, name="one")
    one = toxiproxy.get_proxy("one")
    fails(InvalidToxic, one.add_toxic, type="nonsense")
    fails(InvalidToxic, one.add_toxic, type="latency", attributes={"latency": "long"})
    fails(NotFound, one.destroy_toxic, "missing")
    client = connect(one)
    ask(client, 10)
    with one.down():
        assert hear(client, 1) == b""
        fails(ConnectionRefusedError, connect, one)
    ask(connect(one), 10)
    one.add_toxic(type="latency", attributes={"latency": 60_000})
    one.disable()
    assert toxiproxy.reset()
    assert toxiproxy.get_proxy("one").enabled and not one.toxics()
    ask(connect(one), 10)
    toxiproxy.destroy_all()
    assert toxiproxy.proxies() == {}


def main(host, port):
    toxiproxy = Toxiproxy()
    toxiproxy.update_api_consumer(host, int(port))
    upstream = echo()
    proxies(toxiproxy, upstream)
    for effect in [
        latency,
        bandwidth,
        slow_close,
        timeout,
        reset_peer,
        slicer,
        limit_data,
        noop,
    ]:
        proxy = toxiproxy.create(upstream=upstream, name=effect.__name__)
        effect(proxy)
        proxy.destroy()
        print("%s: as it should be" % effect.__name__)


if __name__ == "__main__":
    # Whatever hangs, it does not hang for good.
    faulthandler.dump_traceback_later(60, exit=True)
    main(*sys.argv[1:])
