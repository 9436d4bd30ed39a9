"""An S3 server on the loopback, and a wire in front of it that notes requests and can be cut."""

import os
import subprocess
import sys
from pathlib import Path

_SERVER = """
import socket, sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

# Copies bytes both ways. A line per request goes into a log: method, path, range.
_WIRE = """
import asyncio, sys
server, cut_after, cuts, let = map(int, sys.argv[1:5])
log = sys.argv[5]

async def up(reader, writer, cut):
    global cuts, let
    sent = None
    while chunk := await reader.read(1 << 16):
        if chunk.split(b" ")[0] in (b"GET", b"PUT", b"HEAD", b"POST", b"DELETE"):
            head = chunk.split(b"\\r\\n\\r\\n")[0].decode("latin-1").split("\\r\\n")
            wanted = [h for h in head if h.lower().startswith("range:")]
            with open(log, "a") as file:
                print(*head[0].split(" ")[:2], *wanted, file=file)
            sent = 0 if chunk.startswith(b"PUT ") and let <= 0 else None
            let -= chunk.startswith(b"PUT ")
        elif sent is not None:
            sent += len(chunk)
        if sent is not None and cuts and sent > cut_after:
            cuts -= 1
            return cut()
        writer.write(chunk)
        await writer.drain()

async def down(reader, writer):
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
        await writer.drain()

async def joined(reader, writer):
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server)
    def cut():
        writer.transport.abort()
        far_writer.transport.abort()
    try:
        await asyncio.gather(up(reader, far_writer, cut), down(far_reader, writer))
    except OSError:
        pass
    finally:
        cut()

async def main():
    wire = await asyncio.start_server(joined, "127.0.0.1", 0)
    print(wire.sockets[0].getsockname()[1], flush=True)
    await wire.serve_forever()

asyncio.run(main())
"""


class Served:
    """A process that says its port and ends with its standard input."""

    def __init__(self, program: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Server(Served):
    def __init__(self) -> None:
        super().__init__(_SERVER)


class Wire(Served):
    """Lets `let` uploads pass, then cuts `cuts` of them when `cut_after` bytes of one came."""

    def __init__(
        self, server: int, folder: Path, *, cut_after: int = 0, cuts: int = 0, let: int = 0
    ) -> None:
        self.log = folder / "requests.txt"
        self.log.write_text("")
        super().__init__(_WIRE, server, cut_after, cuts, let, self.log)

    def requests(self, *methods: str) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [line for line in lines if line.split(" ")[0] in methods]


def environment(port: int, cache: Path) -> dict[str, str]:
    """Return what a client of the server needs in its environment."""
    return {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MASHNET_CACHE": str(cache),
    }
