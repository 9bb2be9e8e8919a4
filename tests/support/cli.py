"""For the command-line tests: a command, and what it must say on stdout, on stderr and by its exit code."""

import errno
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import tempfile
import termios
import unittest

import vmscan

DONE, BAD, GONE, DENIED, PARTIAL = 0, 2, 3, 4, 5
SMALL = vmscan.SOURCE / "tests" / "data" / "small.json"  # one saved snapshot of five regions, without notes
PLAIN = {"PATH": os.environ.get("PATH", ""), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


class CommandLine(unittest.TestCase):
    """Each test has a directory of its own, in which vmscan runs."""

    maxDiff = 4000

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.small = self.directory / "small.json"
        shutil.copy(SMALL, self.small)

    def run_it(self, *arguments, prefix=(), stdin=b"", stdout=subprocess.PIPE, env=None):
        """Runs vmscan; stdout as bytes, stderr as text."""
        done = subprocess.run(
            [*prefix, vmscan.PROGRAM, *map(str, arguments)],
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={**PLAIN, **self.sanitizer_options(), **(env or {})},
            timeout=vmscan.TIMEOUT_S,
            check=False,
        )
        done.stderr = done.stderr.decode("utf-8")
        return done

    @staticmethod
    def sanitizer_options():
        return {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}

    def good(self, *arguments, **more):
        """The output of a command that must succeed without a word on stderr."""
        done = self.run_it(*arguments, **more)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""), arguments)
        return done.stdout

    def text(self, *arguments, **more):
        return self.good(*arguments, **more).decode("utf-8")

    def lines(self, *arguments, **more):
        return self.text(*arguments, **more).splitlines()

    def assert_one_line(self, message):
        self.assertRegex(message, r"\Avmscan: [^\n]+\n\Z")

    def fails(self, code, said, *arguments, **more):
        """A failure: one line on stderr that matches `said`, nothing on stdout, nothing new in the directory."""
        before = self.files()
        done = self.run_it(*arguments, **more)
        self.assert_one_line(done.stderr)
        self.assertIsNotNone(re.search(said, done.stderr), f"{arguments}: {said!r} is not in {done.stderr!r}")
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        self.assertIn(done.stdout, (b"", None), arguments)
        self.assertEqual(self.files(), before, arguments)
        return done.stderr

    def files(self):
        """Name and content of every file in the directory."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            found[str(path.relative_to(self.directory))] = path.read_bytes() if path.is_file() else path.lstat().st_mode
        return found

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content)
        return path

    def on_terminal(self, *arguments, columns=100, env=None):
        """Runs vmscan on a pseudo-terminal; its exit code and what the terminal showed (stdout and stderr)."""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, columns)) if hasattr(termios, "tcsetwinsize") else set_columns(slave, columns)
        process = subprocess.Popen(
            [vmscan.PROGRAM, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.directory,
            env={**PLAIN, **self.sanitizer_options(), **(env or {})},
        )
        os.close(slave)
        shown = drain(master)
        os.close(master)
        return process.wait(vmscan.TIMEOUT_S), shown.replace("\r\n", "\n")


def set_columns(terminal, columns):
    import fcntl
    import struct

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def drain(master):
    shown = b""
    while select.select([master], [], [], vmscan.TIMEOUT_S)[0]:
        try:
            got = os.read(master, 65536)
        except OSError as error:  # the last one has closed the terminal
            if error.errno != errno.EIO:
                raise
            break
        if not got:
            break
        shown += got
    return shown.decode("utf-8")


ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def without_color(text):
    return ESCAPE.sub("", text)


def gone_pid():
    """A pid that no process has."""
    done = subprocess.Popen(["/bin/true"])
    done.wait()
    return done.pid
