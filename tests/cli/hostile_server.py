"""A web server on the loopback that misbehaves in the way that the first part of the path names.

    with HostileServer(folder) as server:
        server.url("cut")       # base URL; the rest of the path is a file in the folder
        server.requests         # (method, path, headers) of all requests so far
"""
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATE = "Wed, 24 Aug 2016 10:00:00 GMT"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", length=None, **headers):
        """`length` False: none is told, and the connection ends the body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is False:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body)

    def part(self, data, tag='"one"', slow=0.0, stop=None, validators=True):
        """As a good server answers; `stop`: the connection breaks after so many bytes of the file."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, tag, DATE)
        start = int(wanted[1]) if wanted and same else 0
        headers = {"Last-Modified": DATE} if validators else {}
        if validators and tag:
            headers["ETag"] = tag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        if not slow:
            self.answer(206 if start else 200, rest[:max(0, stop - start)] if stop else rest, len(rest), **headers)
            return
        self.answer(206 if start else 200, length=len(rest), **headers)
        for at in range(0, len(rest), 1 << 16):
            self.wfile.write(rest[at:at + (1 << 16)])
            time.sleep(slow * (1 << 16) / len(rest))

    def do_GET(self):
        hops = self.path
        if hops.startswith("http://"):  # we are the proxy
            hops = "/" + hops.split("/", 3)[3]
        server = self.server
        mode, _, name = hops[1:].partition("/")
        server.requests.append((self.command, self.path, dict(self.headers)))
        seen = sum(f"/{mode}/" in path for _, path, _ in server.requests)
        try:
            data = (server.folder / name.split("?")[0]).read_bytes()
        except OSError:
            data = None
        half = len(data or b"") // 2
        try:
            self.misbehave(mode, name, data, half, seen)
        except OSError:
            pass

    def misbehave(self, mode, name, data, half, seen):
        web_page = b"<html><body>please log in</body></html>"
        plain = {
            "ok": lambda: self.part(data), "date": lambda: self.part(data, tag=None),
            "weak": lambda: self.part(data, tag='W/"one"'),
            "slow": lambda: self.part(data, slow=0.25), "slower": lambda: self.part(data, slow=1.5),
            "cut": lambda: self.part(data, stop=half if seen == 1 else None),
            "cut_always": lambda: self.part(data, stop=half),
            "cut_without_validator": lambda: self.part(data, stop=half, validators=False),
            "cut_then_changed": lambda: self.part(data, tag=f'"{seen}"', stop=half if seen == 1 else None),
            "cut_then_forgotten": lambda: self.answer(200, data[:half], len(data), ETag='"x"') if seen == 1
            else self.answer(200, data),
            "cut_then_416": lambda: self.answer(200, data[:half], len(data), ETag='"x"') if seen == 1
            else self.answer(416) if "Range" in self.headers else self.answer(200, data),
            "cut_then_other_part": lambda: self.answer(200, data[:half], len(data), ETag='"x"') if seen == 1
            else self.answer(206, data[half + 1:], Content_Range=f"bytes {half + 1}-{len(data) - 1}/{len(data)}"),
            "no_length_cut": lambda: self.answer(200, data[:half], False),
            "no_length": lambda: self.answer(200, data, False),
            "no_type": lambda: self.answer(200, data),
            "wrong": lambda: self.answer(200, data[:half] + bytes([data[half] ^ 1]) + data[half + 1:]),
            "wrong_first_half": lambda: self.answer(200, bytes(half), len(data), ETag='"one"') if seen == 1
            else self.part(data),
            "short": lambda: self.answer(200, data[:half]), "long": lambda: self.answer(200, data + b"x"),
            "empty": lambda: self.answer(200), "long_without_length": lambda: self.answer(200, data + b"x" * 5000000, False),
            "page": lambda: self.answer(200, web_page, Content_Type="text/html; charset=utf-8"),
            "page_in_disguise": lambda: self.answer(200, web_page, False, Content_Type="application/gzip"),
            "busy_once": lambda: self.answer(503, web_page, Retry_After="1") if seen == 1 else self.part(data),
            "redirect": lambda: self.answer(302, Location=f"/redirect_2/{name}"),
            "redirect_2": lambda: self.answer(307, Location=self.server.url("ok") + "/" + name),
            "redirect_loop": lambda: self.answer(302, Location=self.path),
            "redirect_file": lambda: self.answer(302, Location="file:///etc/passwd"),
            "redirect_ftp": lambda: self.answer(302, Location="ftp://127.0.0.1/x"),
        }
        if data is None:
            self.answer(404)
        elif mode in plain:
            plain[mode]()
        elif mode.isdigit():
            self.answer(int(mode), web_page, Content_Type="text/html")
        elif mode == "stall":  # a part, then nothing
            self.answer(200, data[:half], len(data), ETag='"one"')
            self.server.stop.wait(20)
        elif mode == "drip":
            self.answer(200, length=len(data))
            while not self.server.stop.wait(0.2):
                self.wfile.write(b"x")
        elif mode == "silent":
            self.server.stop.wait(20)
            self.close_connection = True
        elif mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif mode == "garbage":
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n" * 5)
            self.close_connection = True
        elif mode == "endless":
            self.answer(200, length=False)
            for _ in range(3000):  # 192 MB, should nobody stop it
                self.wfile.write(bytes(1 << 16))
        else:
            self.answer(404)


class HostileServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.requests, self.stop = Path(folder), [], threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def url(self, mode):
        return f"http://127.0.0.1:{self.server_address[1]}/{mode}"

    def __exit__(self, *_):
        self.stop.set()
        self.shutdown()
        self.server_close()
