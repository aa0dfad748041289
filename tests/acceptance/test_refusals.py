"""Does the reason of a refused upload arrive, and does nothing of it travel that need not?"""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.acceptance.installation import Client, Installation
from tests.servers import find, needing_programs

pytestmark = pytest.mark.acceptance

QUERY = "category=number_management&action=add"
ROW = b"+14157215234,009afc511c97b2ae693c6cc4920988e8\n"
GOOD = b"number,account_id\n" + ROW * 3_000
ROOM_BYTES = 4 * 10**9
TRIES = 5
SECONDS = 60  # to wait for anything
JAVA = Path(__file__).parent / "java" / "Upload.java"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An account with little room on a web server; nobody works off tasks."""
    room = {"PISTON_MAX_STORED_BYTES_PER_ACCOUNT": str(ROOM_BYTES)}
    installation = Installation(tmp_path_factory.mktemp("web"), **room)
    installation.commands = {"web": installation.commands["web"]}
    with installation:
        yield Client(installation)


@pytest.fixture(scope="module")
def other(client: Client) -> Client:
    """Another account on the same server."""
    return Client(client.installation)


def head_of(client: Client, *headers: str, token: str = "") -> bytes:
    """Return the head of an upload."""
    address = urlsplit(client.tasks)
    lines = [f"PUT {address.path}?{QUERY} HTTP/1.1", f"Host: {address.netloc}", *headers]
    lines += [f"X-Auth-Token: {token or token_of(client)}", "Content-Type: text/csv", "", ""]
    return "\r\n".join(lines).encode()


def token_of(client: Client) -> str:
    return str(client.session.headers["X-Auth-Token"])


def run(*command: str) -> list[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=10 * SECONDS
    )
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def program(name: str, package: str) -> str:
    with needing_programs():
        return str(find(name, package=package))


# ---- The reason arrives --------------------------------------------------------------------------


def send_with_urllib(client: Client, file: Path) -> list[str]:
    headers = {"X-Auth-Token": token_of(client), "Content-Type": "text/csv"}
    url = f"{client.tasks}?{QUERY}"
    answers = []
    for _ in range(TRIES):
        request = urllib.request.Request(url, file.read_bytes(), headers, method="PUT")
        try:
            urllib.request.urlopen(request, timeout=SECONDS)
        except urllib.error.HTTPError as answer:
            answers.append(f"{answer.status} {answer.read().decode()}")
        except OSError as error:
            answers.append(str(error))
    return answers


def send_with_requests(client: Client, file: Path) -> list[str]:
    headers = {"X-Auth-Token": token_of(client), "Content-Type": "text/csv"}
    answers = []
    for _ in range(TRIES):
        with file.open("rb") as content:
            answer = requests.put(
                f"{client.tasks}?{QUERY}", data=content, headers=headers, timeout=SECONDS
            )
        answers.append(f"{answer.status_code} {answer.text}")
    return answers


def send_with_curl(client: Client, file: Path) -> list[str]:
    command = [
        program("curl", "curl"), "-sS", "-T", str(file), "-H", f"X-Auth-Token: {token_of(client)}",
        "-H", "Content-Type: text/csv", "-H", "Expect:", "-w", " %{http_code}",
        f"{client.tasks}?{QUERY}",
    ]  # fmt: skip
    return [" ".join(run(*command)) for _ in range(TRIES)]


def send_with_java(name: str) -> Callable[[Client, Path], list[str]]:
    def send(client: Client, file: Path) -> list[str]:
        program("javac", "default-jdk-headless")
        java = program("java", "default-jdk-headless")
        url, token = f"{client.tasks}?{QUERY}", token_of(client)
        return run(java, str(JAVA), name, url, token, str(file), str(TRIES))

    return send


@pytest.mark.parametrize("megabytes", [16, 25, 105])
@pytest.mark.parametrize(
    "send",
    [
        send_with_urllib,
        send_with_requests,
        send_with_curl,
        send_with_java("HttpClient"),
        send_with_java("HttpURLConnection"),
    ],
    ids=["urllib", "requests", "curl", "HttpClient", "HttpURLConnection"],
)
def test_a_client_sees_why_its_first_line_was_refused(
    client: Client, tmp_path: Path, send: Callable[[Client, Path], list[str]], megabytes: int
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_bytes(b"number,wef\n" + ROW * (megabytes * 10**6 // len(ROW)))

    answers = send(client, file)

    assert len(answers) == TRIES
    assert [each for each in answers if "500" not in each or "attachment" not in each] == []


def test_who_shows_no_good_token_is_not_heard_out(client: Client) -> None:
    address = urlsplit(client.tasks)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        connection.sendall(head_of(client, "Content-Length: 1000000000", token="bad"))
        with pytest.raises(ConnectionError):
            connection.sendall(bytes(100 * 10**6))


# ---- Nothing travels that need not ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "gigabytes", "status"),
    [
        (f"/v2/accounts/OWN/tasks?{QUERY}", {"X-Auth-Token": "bad"}, 5, 401),
        (f"/v2/accounts/OTHER/tasks?{QUERY}", {}, 5, 403),
        (f"/v2/accounts/{'0' * 32}/tasks?{QUERY}", {}, 5, 404),
        ("/v2/accounts/OWN/tasks?category=magic&action=add", {}, 5, 404),
        ("/v2/accounts/OWN/tasks?category=number_management", {}, 5, 500),
        (f"/v2/accounts/OWN/tasks?{QUERY}&file_name=%00", {}, 5, 400),
        (f"/v2/accounts/OWN/tasks?{QUERY}", {"Content-Type": "text/plain"}, 5, 415),
        (f"/v2/accounts/OWN/tasks?{QUERY}", {"Content-Encoding": "br"}, 5, 415),
        (f"/v2/accounts/OWN/tasks?{QUERY}", {}, 6, 413),
        (f"/v2/accounts/OWN/tasks?{QUERY}", {}, 5, 413),  # more than the account has room for
        ("/v2/accounts/OWN/tasks?category=number_management&action=list", {}, 5, 500),  # no input
        ("/v2/nowhere", {}, 5, 404),
    ],
)
def test_nothing_of_a_refused_file_travels_to_a_server_that_is_asked_first(
    client: Client,
    other: Client,
    tmp_path: Path,
    path: str,
    headers: dict[str, str],
    gigabytes: int,
    status: int,
) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as sparse:
        sparse.truncate(gigabytes * 10**9)
    address = urlsplit(client.tasks)
    path = path.replace("OWN", client.account_id).replace("OTHER", other.account_id)
    named = {"X-Auth-Token": token_of(client), "Content-Type": "text/csv"} | headers
    options = [word for name, value in named.items() for word in ("-H", f"{name}: {value}")]

    came = run(
        *(program("curl", "curl"), "-sS", "-T", str(file), "--expect100-timeout", str(SECONDS)),
        *(*options, "-o", str(tmp_path / "answer"), "-w", "%{http_code} %{size_upload}"),
        f"{address.scheme}://{address.netloc}{path}",
    )

    assert came == [f"{status} 0"]


@pytest.mark.parametrize("length", [f"Content-Length: {len(GOOD)}", "Transfer-Encoding: chunked"])
def test_who_asks_first_is_let_go_on(client: Client, length: str) -> None:
    address = urlsplit(client.tasks)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        connection.sendall(head_of(client, "Expect: 100-continue", length))
        assert connection.recv(2**16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        is_chunked = "chunked" in length
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD) if is_chunked else GOOD
        connection.sendall(body)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 201 ")


def test_http_1_0_knows_no_such_question(client: Client) -> None:
    address = urlsplit(client.tasks)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        head = head_of(client, "Expect: 100-continue", f"Content-Length: {len(GOOD)}")
        connection.sendall(head.replace(b"HTTP/1.1", b"HTTP/1.0") + GOOD)
        assert b" 201 " in connection.recv(2**16).partition(b"\r\n")[0]


def test_another_expectation_is_not_met(client: Client) -> None:
    address = urlsplit(client.tasks)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as connection:
        connection.sendall(head_of(client, "Expect: tea", "Content-Length: 100000"))
        assert connection.recv(2**16).startswith(b"HTTP/1.1 417 ")


# ---- What a client's headers may not change ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCRIPT_NAME", "/v2"),
        ("SCRIPT_NAME", "/elsewhere"),
        ("PATH_INFO", "/admin/"),
        ("Script-Name", "/v2"),
        ("X-Script-Name", "/v2"),
        ("X-Forwarded-Prefix", "/v2"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
    ],
)
@pytest.mark.parametrize("path", ["/v2/tasks", "/admin/"])
def test_no_header_says_under_which_address_the_server_was_called(
    client: Client, path: str, name: str, value: str
) -> None:
    address = urlsplit(client.tasks)
    url = f"{address.scheme}://{address.netloc}{path}"

    plain, odd = (
        requests.get(url, headers=headers, allow_redirects=False, timeout=SECONDS)
        for headers in ({}, {name: value})
    )

    assert plain.status_code in {200, 302}
    assert odd.status_code == plain.status_code
    assert odd.headers.get("Location") == plain.headers.get("Location")


def test_an_underscore_is_no_dash(client: Client) -> None:
    headers = {"X_Auth_Token": token_of(client)}

    assert requests.get(client.tasks, headers=headers, timeout=SECONDS).status_code == 401
