"""What the scripts that measure the program have in common: a drill, a service behind it, a client.

Python's standard library only, on Linux. The service is nginx if it is installed (`--upstream URL`
for one of your own), else a responder in this process's child, which is slower.

Answers are timed by the kernel: each socket is told to note when a packet came in, so a client that
is busy or asleep makes no answer look late. Requests are timed just before they are sent.
"""

import argparse
import contextlib
import os
import platform
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

BODY = b"x" * 1024
SO_TIMESTAMPNS = 35
IP_BIND_ADDRESS_NO_PORT = 24
HEAD_END = b"\r\n\r\n"


def arguments(description, **defaults):
    """The command line; `defaults` are further options with their default values."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--firedrill", default="target/release/firedrill", help="the program")
    parser.add_argument("--upstream", help="a service of your own; it has to answer any GET")
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args = parser.parse_args()
    if not os.access(args.firedrill, os.X_OK):
        sys.exit(f"{args.firedrill} is not there: cargo build --release")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return args


def machine():
    """One line on where the figures come from."""
    kernel = platform.release().split("-")[0]
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Linux {kernel}, load before {load:.1f}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def reachable(port, patience=10):
    """Waits until somebody listens on a port."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    sys.exit(f"nobody listens on port {port}")


def stop(child):
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


NGINX = """
worker_processes auto; daemon off; pid {folder}/pid; error_log {folder}/error crit;
worker_rlimit_nofile {files};
events {{ worker_connections 65536; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=16384;
    location / {{ default_type text/plain; return 200 "{body}"; }}
  }}
}}
"""


@contextlib.contextmanager
def service(args):
    """A service that answers every GET with a kilobyte; gives its URL."""
    if args.upstream:
        yield args.upstream
        return
    port = free_port()
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    with tempfile.TemporaryDirectory() as folder:
        if nginx:
            files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            text = NGINX.format(folder=folder, port=port, files=files, body=BODY.decode())
            with open(f"{folder}/conf", "w", encoding="ascii") as conf:
                conf.write(text)
            command = [nginx, "-c", f"{folder}/conf"]
        else:
            command = [sys.executable, __file__, str(port)]
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            reachable(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(child)


class Drill:
    """The program, playing a scenario."""

    def __init__(self, args, scenario, upstream, *flags):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        self.record = f"{self.folder.name}/record.jsonl"
        path = f"{self.folder.name}/scenario.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(scenario)
        command = [args.firedrill, "run", path, "--upstream", upstream]
        command += ["--listen", f"127.0.0.1:{self.port}", "--quiet", *flags]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        # Listening is seen from outside, so that a clock that waits for traffic goes on waiting.
        reachable(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.child)
        self.folder.cleanup()

    def memory(self):
        """Resident and proportional bytes."""
        with open(f"/proc/{self.child.pid}/smaps_rollup", encoding="ascii") as file:
            text = file.read()
        return tuple(
            int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) * 1024 for name in ("Rss", "Pss")
        )

    def processor(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Connection:
    """A keep-alive connection that knows when the answer's last packet came."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.socket()
        # Tens of thousands of connections need more than one address to come from.
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((source, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = self.came = 0.0
        self.status = None
        self.buffer = b""

    def fileno(self):
        return self.socket.fileno()

    def send(self, path="/", headers=""):
        """Sends a request; remembers when."""
        self.status, self.buffer = None, b""
        request = f"GET {path} HTTP/1.1\r\nhost: shop.example\r\n{headers}\r\n".encode()
        self.sent = time.time()
        self.socket.sendall(request)

    def receive(self):
        """Reads what came; whether the answer is whole (or will never be)."""
        try:
            data, notes, _, _ = self.socket.recvmsg(65536, 64)
        except OSError:
            data, notes = b"", []
        for level, kind, value in notes:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanos = struct.unpack("qq", value)
                self.came = seconds + nanos / 1e9
        if not data:
            return True
        self.buffer += data
        head = self.buffer.find(HEAD_END)
        if head < 0:
            return False
        length = re.search(rb"\r\ncontent-length: *(\d+)", self.buffer[:head].lower())
        if len(self.buffer) < head + len(HEAD_END) + (int(length[1]) if length else 0):
            return False
        self.status = int(self.buffer[9:12])
        return True

    def ask(self, path="/", headers=""):
        """Sends a request and waits for its answer; the status."""
        self.send(path, headers)
        while not self.receive():
            pass
        return self.status

    @property
    def took(self):
        """From just before the request was sent to its answer's last packet, in seconds."""
        return self.came - self.sent

    def close(self):
        self.socket.close()


def connect(port, count):
    """Opens connections, from one address for each 20,000 of them."""
    return [Connection(port, f"127.0.0.{1 + at // 20_000}") for at in range(count)]


def receive_all(connections, patience=60):
    """Waits for the answers that are due on connections; how many never came."""
    poll = select.epoll()
    waiting = {connection.fileno(): connection for connection in connections}
    for number in waiting:
        poll.register(number, select.EPOLLIN)
    end = time.monotonic() + patience
    while waiting and time.monotonic() < end:
        for number, _ in poll.poll(1, 4096):
            if waiting[number].receive():
                poll.unregister(number)
                del waiting[number]
    poll.close()
    return len(waiting)


def quantile(values, q):
    """The smallest value that a fraction `q` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-q * len(ordered) // 1) - 1))]


def table(head, rows):
    """Prints a table as the documentation has it."""
    print("| " + " | ".join(head) + " |")
    print("|---" + "|--:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def respond(port):
    """The service for machines without nginx."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(16384)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    open_ones = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                stream, _ = listener.accept()
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                open_ones[stream.fileno()] = stream
                poll.register(stream, select.EPOLLIN)
                continue
            stream = open_ones[number]
            try:
                data = stream.recv(65536)
                # The proxy sends one request at a time, each in one piece.
                if data:
                    stream.sendall(answer)
                    continue
            except OSError:
                pass
            poll.unregister(number)
            open_ones.pop(number).close()


if __name__ == "__main__":
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2
    )
    respond(int(sys.argv[1]))
