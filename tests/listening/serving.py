"""A server in a process of its own, which can be killed and started again on the same port."""

import signal
import subprocess
import sys
from pathlib import Path


class Server:
    """python -m mashnet.listening serve, of one folder."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mashnet.listening",
                "serve",
                f"folder={folder}",
                f"port={port}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            if line.startswith("serving "):
                self.address = line.split()[1]
                self.port = int(self.address.rstrip("/").rsplit(":", 1)[1])
                return
        raise AssertionError("".join(self.printed))

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def killed_and_started_again(self) -> "Server":
        self.kill()
        return Server(self.folder, port=self.port)
