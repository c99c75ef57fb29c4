"""A TCP proxy that breaks: connections hang, are reset in the middle of a body, or are refused."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Literal

Fault = Literal["none", "hang", "reset"]
_CHUNK = 16 * 1024


class FaultProxy:
    """Forwards connections to a port of this machine; `fault` says what happens to what is sent from now on."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.fault: Fault = "none"
        self.reset_after = 20_000
        self.broken = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=_copy, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        seen = 0
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                seen += len(data)
                if self.fault == "hang":
                    self.broken += 1
                    continue
                if self.fault == "reset" and seen > self.reset_after:
                    self.broken += 1
                    # Lingering for no time makes the close a reset.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                server.sendall(data)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
