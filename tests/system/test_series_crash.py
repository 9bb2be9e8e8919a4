"""A capture of a series that is killed at any moment leaves a file that can be read: every line but perhaps the last is
whole. Environment: VMSCAN_KILLS, the number of kills (200)."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan

KILLS = int(os.environ.get("VMSCAN_KILLS", "200"))
INTERVAL = "2ms"
LONGEST_S = 0.12
BAD_INPUT = 2


def capture_and_kill(target, path, delay_s):
    """Starts a series and kills it after the delay."""
    command = [vmscan.PROGRAM, "snapshot", str(target.pid), "-q", "--interval", INTERVAL, "--until-exit", "-o", str(path)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


class KilledSeries(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def assert_whole_but_the_last(self, content):
        """The number of whole lines, and whether a torn one follows. The file may end between the last
        line and its newline."""
        *whole, torn = content.split(b"\n")
        for line in whole:
            json.loads(line)
        for line in whole[:1] + whole[-1:]:  # the laws take longer than the capture
            vmscan.validate(json.loads(line))
        return len(whole), torn != b"" and not self.is_document(torn)

    @staticmethod
    def is_document(line):
        try:
            return isinstance(json.loads(line), dict)
        except ValueError:
            return False

    def assert_readable(self, path, whole, torn):
        done = vmscan.run("summary", "--json", path)
        if whole == 0:
            self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
            self.assertRegex(done.stderr, r"\Avmscan: [^\n]+\n\Z")
            self.assertEqual(done.stdout, b"")
            return
        self.assertEqual(done.returncode, 0, done.stderr)
        codes = [note["code"] for note in vmscan.validate(json.loads(done.stdout))["notes"]]
        self.assertEqual("torn_line" in codes, torn, codes)

    def test_a_series_that_is_killed_at_random_moments(self):
        moments = random.Random(20)
        lines, torn_files, no_files = 0, 0, 0
        with vmscan.start("relro") as target:
            for turn in range(KILLS):
                path = self.directory / f"{turn}.jsonl"
                code, err = capture_and_kill(target, path, moments.uniform(0, LONGEST_S))
                self.assertEqual((code, err), (-signal.SIGKILL, b""))
                if not path.exists():
                    no_files += 1
                    continue
                whole, torn = self.assert_whole_but_the_last(path.read_bytes())
                self.assert_readable(path, whole, torn)
                lines += whole
                torn_files += torn
                path.unlink()
        self.assertEqual(list(self.directory.iterdir()), [], "nothing else is left behind")
        self.assertGreater(lines, 0, "the kills came too early to prove anything")
        print(f"{KILLS} kills: {lines} whole lines, {torn_files} torn ones, {no_files} before there was a file", file=sys.stderr)

    def test_a_series_that_breaks_off_at_every_byte_of_its_last_line(self):
        """What a kill inside a write leaves, which the kernel makes rare: the lines before are read, with a note."""
        with vmscan.start("relro") as target:
            line = vmscan.run("snapshot", target.pid).stdout
        path = self.directory / "torn.jsonl"
        for end in range(1, len(line) - 1, max(1, len(line) // 100)):
            for whole in (0, 2):
                path.write_bytes(line * whole + line[:end])
                self.assert_readable(path, whole, torn=True)


if __name__ == "__main__":
    vmscan.main()
