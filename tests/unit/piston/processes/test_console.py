"""Does the console print every line with its process's name, and end after the processes?"""

import os
import subprocess
import sys

from piston.processes import console


def run(streams: dict[str, bytes]) -> str:
    pipes = {name: os.pipe() for name in streams}
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", console.__file__, "0"),
            *(f"{name}={reader}" for name, (reader, _) in pipes.items()),
        ],
        pass_fds=[reader for reader, _ in pipes.values()],
        stdout=subprocess.PIPE,
        text=True,
    )
    for name, (reader, writer) in pipes.items():
        os.close(reader)
        os.write(writer, streams[name])
        os.close(writer)
    output, _ = process.communicate(timeout=20)
    return output


def test_each_line_has_the_name_of_its_writer() -> None:
    output = run({"web": b"one\ntwo\n", "worker": b"three\n"})

    assert sorted(output.splitlines()) == ["web    | one", "web    | two", "worker | three"]


def test_a_last_line_without_an_end_is_passed_on() -> None:
    assert run({"web": b"cut off"}) == "web | cut off\n"


def test_bytes_that_are_no_text_do_no_harm() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"\xff\xfe\n")
    os.close(writer)

    process = subprocess.run(
        [sys.executable, "-I", "-S", console.__file__, "0", f"web={reader}"],
        pass_fds=[reader],
        capture_output=True,
        check=True,
    )

    os.close(reader)
    assert process.stdout == b"web | \xff\xfe\n"
