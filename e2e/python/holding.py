"""What one client can hold of a Narthex: `python3 e2e/python/holding.py PATH-OF-NARTHEX [MORE ...]`

Starts the binary with a configuration of its own in front of an upstream of its own, holds what a client can hold, and prints
what that came to, one column for each binary. Nothing but Python is needed; the results are in docs/reference/bars.md.
"""

import asyncio
import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def get(stream, path):
    text = lambda value: bytes([len(value)]) + value
    return frame(HEADERS, 5, stream, b"\x82\x86\x01" + text(b"a") + b"\x04" + text(path.encode()))


class Upstream:
    """Answers `/large` with 50 MB, `/slow` after a minute, everything else at once; counts its connections."""

    def __init__(self):
        self.connections = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1]
                if path == b"/slow":
                    await reader.read(1)
                    return
                size = 50_000_000 if path == b"/large" else 2
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
                part = b"x" * 65536
                while size:
                    writer.write(part[: min(size, len(part))])
                    size -= min(size, len(part))
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            writer.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Narthex:
    """A running binary."""

    def __init__(self, binary, upstream, limits="", descriptors=None):
        self.folder = tempfile.TemporaryDirectory(prefix="narthex-holding-")
        self.port, self.admin = free_port(), free_port()
        file = os.path.join(self.folder.name, "narthex.toml")
        with open(file, "w") as config:
            config.write(
                f"""[listen]
public = "127.0.0.1:{self.port}"
admin = "127.0.0.1:{self.admin}"
[limits]
{limits}
[[route]]
path = ["/large", "/slow", "/page"]
require = "public"
upstream = "http://127.0.0.1:{upstream.port}"
"""
            )
        command = ["sh", "-c", f'{descriptors or "true"} && exec "$0" "$@"', binary, "serve", "--config", file]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 20
        while time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", self.admin), 1).close()
                break
            except OSError:
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def memory(self):
        """Kilobytes of the process's own memory."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def connect(self, address="127.0.0.1", port=None):
        return await asyncio.open_connection("127.0.0.1", port or self.port, local_addr=(address, 0))

    async def answers(self, path, address="127.0.0.9", port=None, within=3):
        """Whether a client of another address gets an answer in time."""
        try:
            reader, writer = await asyncio.wait_for(self.connect(address, port), within)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(12), within)
            writer.close()
            return answer.startswith(b"HTTP/1.1 ")
        except (asyncio.TimeoutError, OSError):
            return False


class Http2:
    """A connection that acknowledges settings, answers pings and takes nothing of any answer."""

    def __init__(self, reader, writer, windows=b""):
        self.reader, self.writer = reader, writer
        self.open, self.ended, self.streams_max = True, asyncio.Event(), 1000
        self.settled = asyncio.Event()
        writer.write(PREFACE + frame(SETTINGS, 0, 0, windows))
        self.task = asyncio.create_task(self.read())

    async def read(self):
        try:
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags = head[3], head[4]
                if kind == SETTINGS and not flags & 1:
                    for at in range(0, len(payload), 6):
                        if payload[at : at + 2] == b"\x00\x03":
                            self.streams_max = int.from_bytes(payload[at + 2 : at + 6], "big")
                    self.settled.set()
                    self.writer.write(frame(SETTINGS, 1, 0))
                if kind == PING and not flags & 1:
                    self.writer.write(frame(PING, 1, 0, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.open = False


async def idle_http2(binary, upstream):
    """100 connections that were used once and answer pings, on a port that has 100 places."""
    with Narthex(binary, upstream, 'connections = 100\nheader_timeout = "2s"') as narthex:
        clients = []
        for _ in range(100):
            client = Http2(*await narthex.connect())
            client.writer.write(get(1, "/nothing"))
            clients.append(client)
        await asyncio.sleep(1)
        others = await narthex.answers("/page")
        held = sum(client.open for client in clients)
        await asyncio.sleep(14)
        return {
            "idle HTTP/2 connections of one client, of 100 places": held,
            "— of them after 15 s (`header_timeout = \"2s\"`)": sum(client.open for client in clients),
            "— another client gets an answer meanwhile": "yes" if others else "no",
        }


async def unread(binary, upstream):
    """200 downloads of 50 MB that nobody reads."""
    row = {}
    with Narthex(binary, upstream) as narthex:
        before, held = narthex.memory(), []
        for _ in range(200):
            reader, writer = await narthex.connect()
            reader._transport.pause_reading()
            writer.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
            held.append(writer)
        await asyncio.sleep(5)
        row["memory for each unread download"] = f"{(narthex.memory() - before) // 200} KiB"
    with Narthex(binary, upstream) as narthex:
        before = narthex.memory()
        # Windows of the usual size, which nobody opens again.
        client = Http2(*await narthex.connect())
        client.writer.write(frame(WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big")))
        for number in range(100):
            client.writer.write(get(2 * number + 1, "/large"))
        await asyncio.sleep(5)
        row["— over HTTP/2, 100 on one connection"] = f"{(narthex.memory() - before) // 100} KiB"
    return row


async def upstreams(binary, upstream):
    """Requests that the upstream does not answer, as many as there may be on 1 and on 40 connections."""
    with Narthex(binary, upstream) as narthex:
        row, clients = {}, []
        for count in [1, 40]:
            while len(clients) < count:
                client = Http2(*await narthex.connect())
                await client.settled.wait()
                for number in range(min(client.streams_max, 256)):
                    client.writer.write(get(2 * number + 1, "/slow"))
                clients.append(client)
            await asyncio.sleep(4)
            row[f"upstream connections of {count} client connection{'s' * (count > 1)}"] = upstream.connections
            row[f"— file descriptors ({count})"] = narthex.descriptors()
        return row


async def descriptors(binary, upstream):
    """A shell's limit of 256 (4,096 at the most) and 250 connections that say nothing."""
    with Narthex(binary, upstream, descriptors="ulimit -S -n 256 && ulimit -H -n 4096") as narthex:
        with open(f"/proc/{narthex.process.pid}/limits") as limits:
            soft = re.search(r"Max open files\s+(\d+)", limits.read())[1]
        held = [await narthex.connect() for _ in range(250)]
        await asyncio.sleep(1)
        row = {
            "descriptors of a process started with 256 (4,096 at the most)": soft,
            "— 250 idle connections: another client gets an answer": "yes" if await narthex.answers("/page") else "no",
            "— `/readyz` answers": "yes" if await narthex.answers("/readyz", port=narthex.admin) else "no",
        }
        del held
        return row


async def measure(binary):
    row = {}
    for part in [idle_http2, unread, upstreams, descriptors]:
        upstream = Upstream()
        await upstream.start()
        row.update(await part(binary, upstream))
        upstream.server.close()
    return row


def main():
    # What is still held at the end is let go of without a word.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    rows = [asyncio.run(measure(binary)) for binary in sys.argv[1:]]
    for subject in rows[0]:
        print("| " + " | ".join([subject, *(str(row[subject]) for row in rows)]) + " |")


if __name__ == "__main__":
    main()
