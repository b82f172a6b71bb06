"""PostgreSQL's protocol by hand, for what no driver sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import struct
from pathlib import Path

from scripts.embedded import EmbeddedServer, password_file

READY = b"Z\0\0\0\5I"
NONCE = "rOprNGfwEbeRWgbNEkqO"


def owners_password(data: Path) -> str:
    """Read the password as libpq does: the last field of a line."""
    return password_file(data).read_text(encoding="utf-8").splitlines()[0].rsplit(":", 1)[1]


def dial(server: EmbeddedServer) -> socket.socket:
    """Connect, and say nothing."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


def startup(user: str = "postgres", database: str = "postgres", minor: int = 0) -> bytes:
    """Return a startup packet."""
    body = f"user\0{user}\0database\0{database}\0\0".encode()
    return struct.pack("!ii", 8 + len(body), (3 << 16) + minor) + body


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message of a type."""
    return kind + struct.pack("!i", 4 + len(body)) + body


def sasl_initial(first: str, mechanism: bytes = b"SCRAM-SHA-256") -> bytes:
    """Return the message that chooses a mechanism, with the client's first part of it."""
    return message(b"p", mechanism + b"\0" + struct.pack("!i", len(first)) + first.encode())


def read_message(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the type and the body of the next message."""
    kind = exactly(connection, 1)
    (length,) = struct.unpack("!i", exactly(connection, 4))
    return kind, exactly(connection, length - 4)


def exactly(connection: socket.socket, count: int) -> bytes:
    """Return the next bytes."""
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        assert part, f"the connection was closed after {found!r}"
        found += part
    return found


def read_until_ready(connection: socket.socket, times: int = 1) -> bytes:
    """Return what arrives up to the last of so many ReadyForQuery messages."""
    answer = b""
    while answer.count(READY) < times:
        part = connection.recv(65536)
        assert part, f"the connection was closed after {answer!r}"
        answer += part
    return answer


def is_closed(connection: socket.socket) -> bool:
    """Read to the end of the connection."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def prove(challenge: str, password: str, header: str = "n,,") -> tuple[str, str]:
    """Return the client's last SCRAM message, and the one by which the server proves itself."""
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    unproven = f"c={base64.b64encode(header.encode()).decode()},r={fields['r']}"
    transcript = f"n=,r={NONCE},{challenge},{unproven}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), transcript, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    own = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), transcript, "sha256")
    return f"{unproven},p={base64.b64encode(proof).decode()}", f"v={base64.b64encode(own).decode()}"


def log_in(connection: socket.socket, password: str, hello: bytes | None = None, header: str = "n,,") -> bytes:
    """Log in by SCRAM-SHA-256; return what arrives after it, up to ReadyForQuery."""
    connection.sendall(hello or startup())
    assert read_message(connection) == (b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
    connection.sendall(sasl_initial(f"{header}n=,r={NONCE}"))
    kind, challenge = read_message(connection)
    assert (kind, challenge[:4]) == (b"R", b"\0\0\0\x0b")
    final, expected = prove(challenge[4:].decode(), password, header)
    connection.sendall(message(b"p", final.encode()))
    assert read_message(connection) == (b"R", b"\0\0\0\x0c" + expected.encode())
    return read_until_ready(connection)
