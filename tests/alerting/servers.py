"""A web server and a mail server on the loopback: they take alerts, or misbehave as told."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """A webhook's server.

    Attributes:
        address: what alerts are posted to.
        got: the bodies of posts that it took.
        asked: how often it was called, by anything.
        status: what it answers.
        silent_seconds: how long it says nothing first.
    """

    address: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    silent_seconds: float = 0


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            web.asked += 1
            status = web.status  # the test may change it once it has its answer
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(web.silent_seconds)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", web.address)
            self.end_headers()
            if status == 200:
                web.got.append(json.loads(body))

        def do_GET(self) -> None:
            web.asked += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.address = f"http://127.0.0.1:{server.server_address[1]}/services/T0/geheim"
    with _served(server):
        yield web


@dataclass
class Mailbox:
    """A mail server.

    Attributes:
        port: on 127.0.0.1.
        got: envelope recipients and text of what it took.
        takes: whether it takes mail.
        silent_seconds: how long it says nothing first.
    """

    port: int = 0
    got: list[tuple[list[str], str]] = field(default_factory=list)
    takes: bool = True
    silent_seconds: float = 0


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            time.sleep(box.silent_seconds)
            self.say("220 loopback")
            recipients: list[str] = []
            for line in self.rfile:
                command = line.decode().strip()
                verb = command.upper()
                if verb.startswith("RCPT TO:"):
                    recipients.append(command[8:].strip("<> "))
                if verb == "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    if box.takes:
                        box.got.append((recipients, text.decode()))
                    self.say("250 taken" if box.takes else "451 try later")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 yes")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    with _served(server):
        yield box


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
