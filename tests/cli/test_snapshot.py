"""vmscan snapshot: once, as a series, and of a program that it starts."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DONE, GONE, PLAIN, CommandLine


class Snapshot(CommandLine):
    def snapshots(self, content):
        """The documents of a series, every line whole and checked."""
        self.assertTrue(content.endswith(b"\n"))
        return [vmscan.validate(json.loads(line)) for line in content.splitlines()]

    def read(self, name="out"):
        return self.snapshots((self.directory / name).read_bytes())

    def start(self, *arguments):
        process = subprocess.Popen(
            [vmscan.PROGRAM, "snapshot", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={**PLAIN, **self.sanitizer_options()},
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for_lines(self, process, count, name="out"):
        path = self.directory / name
        deadline = time.monotonic() + 30
        while not path.exists() or path.read_bytes().count(b"\n") < count:
            self.assertIsNone(process.poll(), "it ended early")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


class Once(Snapshot):
    def test_to_standard_output_and_to_a_file(self):
        with vmscan.start("relro") as target:
            (document,) = self.snapshots(self.good("snapshot", target.pid))
            self.assertEqual(document["target"]["pid"], target.pid)
            self.assertEqual(self.good("snapshot", target.pid, "-o", "out"), b"")
        (saved,) = self.read()
        self.assertEqual([r["address"] for r in saved["regions"]], [r["address"] for r in document["regions"]])

    def test_a_label_stays_with_it(self):
        label = 'before "the" change é'
        with vmscan.start("relro") as target:
            self.good("snapshot", target.pid, "--label", label, "-o", "out")
        self.assertEqual(self.read()[0]["label"], label)
        self.assertIn(f"[{label}]", self.text("summary", "out"))

    def test_a_saved_snapshot_with_a_new_label(self):
        (document,) = self.snapshots(self.good("snapshot", self.small, "--label", "new"))
        self.assertEqual(document["label"], "new")

    def test_append(self):
        with vmscan.start("relro") as target:
            for label in ("a", "b"):
                self.good("snapshot", target.pid, "--append", "--label", label, "-o", "out")
        self.assertEqual([document["label"] for document in self.read()], ["a", "b"])
        self.fails(BAD, "--append: to which file", "snapshot", "self", "--append")

    def test_a_terminal_gets_no_json(self):
        with vmscan.start("relro") as target:
            code, shown = self.on_terminal("snapshot", target.pid)
        self.assertEqual(code, DONE)
        names = [name for name in self.files() if name != "small.json"]
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], rf"\Arelro-{target.pid}-\d{{8}}T\d{{6}}Z\.json\Z")
        self.assertEqual(shown, f"vmscan: note: saved as {names[0]}\n")

    def test_a_compressed_file_is_read_back(self):
        self.good("snapshot", self.small, "-o", "out.zst")
        self.assertEqual((self.directory / "out.zst").read_bytes()[:4], b"\x28\xb5\x2f\xfd")
        self.assertEqual(self.good("summary", "--json", "out.zst"), self.good("summary", "--json", self.small))

    def test_what_is_appended_after_a_torn_frame_can_be_read(self):
        self.good("snapshot", self.small, "-o", "out.zst")
        whole = (self.directory / "out.zst").read_bytes()
        (self.directory / "out.zst").write_bytes(whole + whole[:-20])
        self.good("snapshot", self.small, "-o", "out.zst", "--append")
        self.assertEqual((self.directory / "out.zst").read_bytes(), whole + whole)


class Series(Snapshot):
    def test_a_count(self):
        with vmscan.start("relro") as target:
            documents = self.snapshots(self.good("snapshot", target.pid, "--count", 3, "--interval", "20ms"))
        times = [document["captured_at"] for document in documents]
        self.assertEqual(len(times), 3)
        self.assertEqual(sorted(set(times)), times)

    def test_a_duration(self):
        with vmscan.start("relro") as target:
            began = time.monotonic()
            self.good("snapshot", target.pid, "--duration", "300ms", "--interval", "100ms", "-o", "out")
            self.assertLess(time.monotonic() - began, 10)
        self.assertIn(len(self.read()), (1, 2, 3, 4))

    def test_every_snapshot_has_the_label(self):
        with vmscan.start("relro") as target:
            self.good("snapshot", target.pid, "--count", 2, "--interval", "5ms", "--label", "x", "-o", "out")
        self.assertEqual([document["label"] for document in self.read()], ["x", "x"])

    def test_append_after_a_line_that_was_torn(self):
        with vmscan.start("relro") as target:
            self.good("snapshot", target.pid, "--count", 2, "--interval", "5ms", "-o", "out")
            content = (self.directory / "out").read_bytes()
            self.file("out", content[:-500])
            self.good("snapshot", target.pid, "--append", "--count", 2, "--interval", "5ms", "--label", "later", "-o", "out")
        lines = (self.directory / "out").read_bytes().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0] + b"\n" + lines[1], content[:-500], "what was there is not touched")
        done = self.run_it("summary", "--json", "out@-1")
        document = json.loads(done.stdout)
        self.assertEqual((done.returncode, document["label"]), (DONE, "later"))
        done = self.run_it("summary", "out")
        self.assertRegex(done.stderr, "line 2 is not a whole snapshot")

    def test_force_replaces_a_series(self):
        self.file("out", b"old\n")
        with vmscan.start("relro") as target:
            self.good("snapshot", target.pid, "--count", 1, "--force", "-o", "out")
        self.assertEqual(len(self.read()), 1)

    def test_control_c_ends_it_with_whole_lines(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with vmscan.start("relro") as target:
                process = self.start(target.pid, "--interval", "2ms", "--until-exit", "--force", "-o", "out")
                self.wait_for_lines(process, 3)
                process.send_signal(number)
                self.assertEqual((process.wait(20), process.stderr.read()), (DONE, b""))
            self.assertGreaterEqual(len(self.read()), 3)
            (self.directory / "out").unlink()

    def test_control_c_ends_a_long_wait_at_once(self):
        with vmscan.start("relro") as target:
            process = self.start(target.pid, "--interval", "1h", "-o", "out")
            self.wait_for_lines(process, 1)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), DONE)
        self.assertEqual(len(self.read()), 1)

    def test_a_target_that_ends_before_the_count(self):
        with vmscan.start("relro") as target:
            process = self.start(target.pid, "--interval", "10ms", "--count", "100000", "-o", "out")
            self.wait_for_lines(process, 2)
        self.assertEqual(process.wait(20), GONE)
        message = process.stderr.read().decode()
        self.assert_one_line(message)
        count = len(self.read())
        self.assertIn(f"after {count} snapshots", message)

    def test_a_target_that_ends_as_expected(self):
        for options in (["--until-exit"], []):
            with vmscan.start("relro") as target:
                process = self.start(target.pid, "--interval", "10ms", *options, "--force", "-o", "out")
                self.wait_for_lines(process, 2)
            self.assertEqual((process.wait(20), process.stderr.read()), (DONE, b""))
            self.assertGreaterEqual(len(self.read()), 2)
            (self.directory / "out").unlink()

    def test_progress_only_on_a_terminal(self):
        with vmscan.start("relro") as target:
            command = ["snapshot", target.pid, "--count", 2, "--interval", "10ms", "-o"]
            code, shown = self.on_terminal(*command, "a")
            self.assertEqual(code, DONE)
            self.assertIn("snapshot 2 of 2", shown)
            code, shown = self.on_terminal(*command, "b", "-q")
            self.assertEqual((code, shown), (DONE, ""))


class Launch(Snapshot):
    def launch(self, *arguments):
        return self.run_it("snapshot", "-q", "-o", "out", "--force", "--interval", "20ms", *arguments)

    def test_the_exit_status_is_passed_on(self):
        shell = vmscan.need("sh")
        for script, status in (("sleep 0.2; exit 0", 0), ("sleep 0.2; exit 7", 7), ("sleep 0.2; kill -KILL $$", 137), ("sleep 0.2; kill -TERM $$", 143)):
            done = self.launch("--", shell, "-c", script)
            self.assertEqual((done.returncode, done.stderr), (status, ""), script)
            documents = self.read()
            self.assertGreaterEqual(len(documents), 1)
            self.assertEqual({document["target"]["name"] for document in documents}, {"sh"})

    def test_a_very_short_command(self):
        for _ in range(20):
            done = self.launch("--", "/bin/true")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            out = self.directory / "out"
            if out.exists():
                self.read()
        self.assertEqual(self.launch("--", "/bin/false").returncode, 1)

    def test_a_command_that_is_not_there(self):
        self.fails(BAD, "no-such-command: No such file or directory", "snapshot", "--", "no-such-command")

    def test_the_output_of_the_command_is_its_own(self):
        done = self.launch("--", "/bin/echo", "--count", "hello")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"--count hello\n", ""))

    def test_a_count_does_not_end_the_command(self):
        done = self.launch("--count", "1", "--", "sh", "-c", "sleep 0.3; echo whole; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, b"whole\n"))
        self.assertEqual(len(self.read()), 1)

    def test_sigterm_is_passed_on_to_the_command(self):
        process = self.start("-q", "--interval", "10ms", "-o", "out", "--", "sleep", "1000")
        self.wait_for_lines(process, 2)
        pid = self.read()[0]["target"]["pid"]
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 128 + signal.SIGTERM)
        self.assertFalse(os.path.exists(f"/proc/{pid}"), "the command is gone as well")
        self.read()


if __name__ == "__main__":
    vmscan.main()
