"""Only a client that proves a password by SCRAM-SHA-256 gets in; strangers cost little and learn nothing."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.embedded import EmbeddedServer, password_file
from tests.embedded.conftest import Connect, Start
from tests.embedded.raw import (
    NONCE,
    dial,
    is_closed,
    log_in,
    message,
    owners_password,
    prove,
    read_message,
    sasl_initial,
    startup,
)

FIRST = f"n,,n=,r={NONCE}"


def enter(server: EmbeddedServer, **options: object) -> psycopg.Connection[tuple[object, ...]]:
    """Connect without the file of the owner's password."""
    options = {"host": "127.0.0.1", "port": server.port, "dbname": "postgres", "user": "postgres", **options}
    return psycopg.connect(make_conninfo(passfile="/nowhere", **options), autocommit=True)


def error_of(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse."""
    return {field[:1].decode(): field[1:].decode() for field in body.split(b"\0") if field}


@pytest.fixture
def tool(connect: Connect) -> str:
    """A role with a password of its own, which is its name."""
    connect().execute("DROP ROLE IF EXISTS tool; CREATE ROLE tool LOGIN PASSWORD 'tool'")
    return "tool"


# Passwords


def test_the_owner_needs_the_password_of_the_file(shared_server: EmbeddedServer) -> None:
    with enter(shared_server, password=owners_password(shared_server.data)) as one:
        assert one.execute("SELECT session_user").fetchone() == ("postgres",)
        assert one.pgconn.used_password
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        enter(shared_server)
    with pytest.raises(psycopg.OperationalError, match='password authentication failed for user "postgres"') as caught:
        enter(shared_server, password="guess")
    assert "PGPASSFILE" in str(caught.value)


def test_the_server_proves_itself_too(shared_server: EmbeddedServer) -> None:
    with enter(shared_server, password=owners_password(shared_server.data), require_auth="scram-sha-256") as one:
        assert one.execute("SELECT 1").fetchone() == (1,)
    with dial(shared_server) as connection:  # log_in checks the server's proof
        assert log_in(connection, owners_password(shared_server.data))


def test_a_client_that_could_bind_to_tls_gets_in(shared_server: EmbeddedServer) -> None:
    with dial(shared_server) as connection:
        assert log_in(connection, owners_password(shared_server.data), header="y,,")


def test_a_role_has_its_own_password(shared_server: EmbeddedServer, connect: Connect, tool: str) -> None:
    with enter(shared_server, user=tool, password="tool") as one:
        assert one.execute("SELECT session_user").fetchone() == ("tool",)
    owner = owners_password(shared_server.data)
    for user, password in ((tool, "guess"), (tool, owner), ("postgres", "tool"), ("nobody", "tool"), ("nobody", owner)):
        with pytest.raises(psycopg.OperationalError, match=f'password authentication failed for user "{user}"'):
            enter(shared_server, user=user, password=password)


def test_a_changed_password_counts_from_the_commit_on(
    shared_server: EmbeddedServer, connect: Connect, tool: str
) -> None:
    one = connect()
    with one.transaction():
        one.execute("ALTER ROLE tool PASSWORD 'newer'")
    enter(shared_server, user=tool, password="newer").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(shared_server, user=tool, password="tool")
    one.execute("ALTER ROLE tool NOLOGIN")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        enter(shared_server, user=tool, password="newer")


def test_a_password_that_a_function_changed_is_not_good_for_another_login(
    shared_server: EmbeddedServer, connect: Connect, tool: str
) -> None:
    one = connect()
    one.execute(
        "CREATE FUNCTION quietly() RETURNS void LANGUAGE plpgsql AS $$BEGIN ALTER ROLE tool PASSWORD 'newer'; END$$"
    )
    one.execute("SELECT quietly()")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(shared_server, user=tool, password="tool")
    one.execute("DROP FUNCTION quietly")


def test_a_client_that_leaves_once_it_is_answered_keeps_no_role_out(start: Start) -> None:
    server = start()
    with psycopg.connect(server.url, autocommit=True) as one:
        # The gateway reads these after each ALTER ROLE, and that of the tool last, which takes longer than to leave.
        one.execute(
            "INSERT INTO pg_authid SELECT 1000000 + n, 'filler' || n, false, false, false, false, false, false, false,"
            " -1, repeat('x', 1000) FROM generate_series(1, 2000) AS n"
        )
        one.execute("CREATE ROLE tool LOGIN PASSWORD 'tool'")
    for pause in (0, 0.001, 0.002, 0.004, 0.008):
        one = psycopg.connect(server.url, autocommit=True)
        one.execute("ALTER ROLE tool SET work_mem = '5MB'")
        time.sleep(pause)
        one.close()
        enter(server, user="tool", password="tool").close()


def test_what_a_client_changes_counts_though_it_leaves_before_it_is_answered(
    shared_server: EmbeddedServer, connect: Connect, tool: str
) -> None:
    one, two = connect(), connect()
    one.pgconn.send_query(b"SELECT pg_sleep(0.5); ALTER ROLE tool PASSWORD 'newer'")
    time.sleep(0.2)
    one.close()
    two.execute("SELECT 1")  # waits for a turn, and so for the end of the other connection
    enter(shared_server, user=tool, password="newer").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(shared_server, user=tool, password="tool")


@pytest.mark.parametrize("stored", ["NULL", "'md5c0d3d3c1b5f0a2ac23cc3bd2f8a3a0a1'"])
def test_a_role_without_a_usable_password_stays_out(
    shared_server: EmbeddedServer, connect: Connect, tool: str, stored: str
) -> None:
    connect().execute(f"ALTER ROLE tool PASSWORD {stored}")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(shared_server, user=tool, password="tool")


def test_strangers_do_not_learn_which_roles_and_databases_exist(
    shared_server: EmbeddedServer, connect: Connect, tool: str
) -> None:
    def answers(user: str, database: str) -> tuple[set[str], dict[str, str]]:
        salts = set()
        for _ in range(2):
            with dial(shared_server) as connection:
                connection.sendall(startup(user, database))
                read_message(connection)
                connection.sendall(sasl_initial(FIRST))
                challenge = read_message(connection)[1][4:].decode()
                salts.add(challenge.split(",", 1)[1])
                connection.sendall(message(b"p", prove(challenge, "guess")[0].encode()))
                error = error_of(read_message(connection)[1])
        return salts, {**error, "M": error["M"].replace(user, "")}

    known_salts, known = answers(tool, "postgres")
    for user, database in (("nobody", "postgres"), (tool, "nowhere"), ("postgres", "nowhere")):
        salts, error = answers(user, database)
        assert len(salts) == len(known_salts) == 1
        assert error == known


# Clients that speak something else


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (message(b"p", b"guess\0"), "the client chose another method"),
        (sasl_initial("p=tls-server-end-point,,n=,r=x", b"SCRAM-SHA-256-PLUS"), "the client chose another method"),
        (sasl_initial("p=tls-server-end-point,,n=,r=x"), "channel binding needs TLS"),
        (sasl_initial("n,a=postgres,n=,r=x"), "authorization identity"),
        (sasl_initial("n,,r=x"), "malformed SCRAM message"),
        (sasl_initial(""), "malformed SCRAM message"),
        (message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", -1)), "malformed SASL message"),
        (message(b"p", b"SCRAM-SHA-256\0\0"), "malformed SASL message"),
        (message(b"Q", b"SELECT 1\0"), "a message of type"),
        (message(b"p", b"no end"), "has no end"),
        (b"p" + struct.pack("!i", 100_000_000) + b"x" * 1000, "at most 10000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_client_without_scram_is_told_so(shared_server: EmbeddedServer, sent: bytes, says: str) -> None:
    with dial(shared_server) as connection:
        connection.sendall(startup())
        read_message(connection)
        connection.sendall(sent)
        kind, body = read_message(connection)
        error = error_of(body)
        assert (kind, error["S"], error["C"]) == (b"E", "FATAL", "08P01")
        assert says in error["M"]
        assert is_closed(connection)


@pytest.mark.parametrize(
    "change",
    [
        lambda final: final.replace(f"r={NONCE}", "r=another"),
        lambda final: final.replace("c=biws", "c=eSws"),
        lambda final: final.rsplit(",p=", 1)[0],
        lambda final: f"{final.rsplit(',p=', 1)[0]},p=AAAA",
        lambda final: "",
    ],
    ids=["nonce", "header", "no proof", "short proof", "empty"],
)
def test_a_proof_that_does_not_belong_to_the_exchange(shared_server: EmbeddedServer, change: object) -> None:
    with dial(shared_server) as connection:
        connection.sendall(startup())
        read_message(connection)
        connection.sendall(sasl_initial(FIRST))
        challenge = read_message(connection)[1][4:].decode()
        final = prove(challenge, owners_password(shared_server.data))[0]
        assert callable(change)
        connection.sendall(message(b"p", change(final).encode()))
        kind, body = read_message(connection)
        assert (kind, error_of(body)["C"]) == (b"E", "08P01")
        assert is_closed(connection)


# Strangers


def test_who_says_nothing_is_closed_soon(start: Start) -> None:
    server = start(login_timeout=1)
    began = time.monotonic()
    with dial(server) as mute, dial(server) as greeted, dial(server) as halfway, dial(server) as trickling:
        greeted.sendall(startup())
        halfway.sendall(startup())
        read_message(halfway)
        halfway.sendall(sasl_initial(FIRST))
        trickling.sendall(startup()[:4])
        while time.monotonic() - began < 0.9:
            time.sleep(0.1)
            trickling.sendall(b"\0")
        for connection in (mute, greeted, halfway, trickling):
            assert is_closed(connection)
    assert time.monotonic() - began < 4
    with psycopg.connect(server.url) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)


def test_strangers_take_no_places_of_those_who_are_known(shared_server: EmbeddedServer, connect: Connect) -> None:
    strangers = [dial(shared_server) for _ in range(300)]
    for connection in strangers[-90:]:
        connection.sendall(startup())
    assert connect().execute("SELECT 1").fetchone() == (1,)
    for connection in strangers:
        connection.close()


def test_strangers_do_not_wait_for_the_backend(shared_server: EmbeddedServer, connect: Connect, tool: str) -> None:
    """A wrong password is answered while another session holds the backend, and takes no turn."""
    one = connect(autocommit=False)
    one.execute("SELECT 1")
    began = time.monotonic()
    for user in (tool, "nobody"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            enter(shared_server, user=user, password="guess")
    assert time.monotonic() - began < 2
    time.sleep(1.7)  # longer than an idle transaction may keep others waiting
    assert one.execute("SELECT 1").fetchone() == (1,)


def test_some_places_are_for_the_owner(shared_server: EmbeddedServer, connect: Connect, tool: str) -> None:
    clients = []
    with pytest.raises(psycopg.OperationalError, match="too many clients already"):
        for _ in range(101):
            clients.append(enter(shared_server, user=tool, password="tool"))
    assert len(clients) < 90
    assert connect().execute("SELECT 1").fetchone() == (1,)
    for client in clients:
        client.close()


# Files


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_and_password_are_private(start: Start) -> None:
    server = start()
    password = owners_password(server.data)
    assert mode(server.data) == mode(server.data / "databases") == 0o700
    assert mode(password_file(server.data)) == 0o600
    assert len(password) >= 43
    with psycopg.connect(server.url, autocommit=True) as one:
        one.execute("CREATE TABLE kept AS SELECT 1")
    assert [path for path in server.data.rglob("*") if mode(path) & 0o007] == []
    # The password is in no argument and no log.
    with pytest.raises(psycopg.OperationalError):
        enter(server, password="guess")
    assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
    assert password not in server.url
    deadline = time.monotonic() + 5  # the log is read from a pipe
    while 'password authentication failed for user "postgres"' not in server.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert password not in server.log


def test_the_password_stays_unless_others_may_have_read_it(start: Start) -> None:
    server = start()
    first = owners_password(server.data)
    server.stop()
    server = start()
    assert owners_password(server.data) == first
    server.stop()
    password_file(server.data).chmod(0o644)
    server = start()
    assert owners_password(server.data) != first
    assert mode(password_file(server.data)) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        enter(server, password=first)
    # A directory of before passwords gets one.
    server.stop()
    password_file(server.data).unlink()
    server.data.chmod(0o755)
    server = start()
    assert mode(server.data) == 0o700
    with psycopg.connect(server.url) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)


def test_files_of_others_in_the_directory_keep_their_way_in(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "notes.txt").write_text("mine")
    start()
    assert mode(data) == 0o755
    assert mode(data / "databases") == 0o700
