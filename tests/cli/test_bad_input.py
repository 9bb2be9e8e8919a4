"""Bad input: one line on stderr that says what and why, the right exit code, and nothing half-written."""

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
from cli import BAD, DENIED, DONE, GONE, PARTIAL, CommandLine, gone_pid

COMMANDS = ("summary", "details", "snapshot")


class Targets(CommandLine):
    def test_a_pid_that_no_process_has(self):
        pid = gone_pid()
        for command in COMMANDS:
            self.fails(GONE, rf"pid {pid}: no such process", command, pid)
            self.fails(GONE, rf"pid {pid}: no such process", command, "--pid", pid)
            self.fails(GONE, "no such process", command, pid, "-o", "out")
        self.fails(GONE, "no such process", "snapshot", pid, "-o", "out.jsonl", "--count", 2)

    def test_what_is_no_pid(self):
        for text in ("0", "99999999999", "12x", "-5", ""):
            self.fails(BAD, "pid|target", "summary", f"--pid={text}")

    def test_no_target(self):
        for command in COMMANDS:
            self.fails(BAD, "no target", command)
            self.fails(BAD, "empty target", command, "")

    def test_a_name_that_no_process_has(self):
        self.fails(GONE, "'no-such-name'", "summary", "no-such-name")
        self.fails(GONE, "'no-such-name'", "summary", "--name", "no-such-name")

    def test_a_process_of_another_user(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        with vmscan.start("relro") as target:
            for command in ("details", "snapshot"):
                self.fails(DENIED, f"pid {target.pid}: permission denied: ", command, target.pid, prefix=nobody)
            done = self.run_it("summary", target.pid, prefix=nobody)
            self.assertEqual(done.returncode, DENIED)
            self.assert_one_line(done.stderr)
            self.assertIn(b"kernel's own totals", done.stdout)
            self.fails(DENIED, "permission", "snapshot", target.pid, "-o", "out", "--count", 2, prefix=nobody)

    def need_program_for(self, nobody):
        os.chmod(self.directory, 0o777)
        done = subprocess.run([*nobody, vmscan.PROGRAM, "--version"], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"another user cannot run {vmscan.PROGRAM}")

    def test_where_no_more_threads_are_allowed(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        limited = [*nobody, vmscan.need("prlimit"), "--nproc=1:1"]
        # AddressSanitizer looks for leaks in a process of its own, which is not allowed here either.
        no_leak_check = os.environ | {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"}
        with subprocess.Popen([*nobody, "sleep", "100"]) as target:
            try:
                while pathlib.Path(f"/proc/{target.pid}/comm").read_text(encoding="ascii") != "sleep\n":
                    time.sleep(0.02)  # until setpriv has become it
                for command in (["summary"], ["heap"], ["strings", "-q", "--count"], ["details", "--json"]):
                    done = subprocess.run([*limited, vmscan.PROGRAM, *command, str(target.pid)], env=no_leak_check,
                                          capture_output=True, text=True, check=False)
                    self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            finally:
                target.kill()

    def test_a_file_that_may_not_be_read(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        self.small.chmod(0o600)
        self.fails(DENIED, "small.json: Permission denied", "summary", self.small, prefix=nobody)

    def test_a_directory_that_may_not_be_written(self):
        nobody = vmscan.as_nobody()
        self.need_program_for(nobody)
        os.chmod(self.directory, 0o755)
        for output in (["summary", self.small], ["snapshot", self.small], ["snapshot", "self", "--count", "2"]):
            self.fails(DENIED, "out: Permission denied", *output, "-o", "out", prefix=nobody)


class Files(CommandLine):
    def test_what_never_ends(self):
        for command in ("summary", "heap", "strings"):
            self.fails(BAD, "/dev/zero: not a snapshot", command, "/dev/zero")

    def test_a_name_that_promises_another_format(self):
        self.fails(BAD, "vmscan convert TARGET out.mmp", "summary", self.small, "-o", "out.mmp")

    def test_files_of_other_formats(self):
        cases = {
            "elf": (pathlib.Path("/proc/self/exe").read_bytes()[:4096], "ELF"),
            "zstd": (b"\x28\xb5\x2f\xfd\x04\x00" + bytes(20), "zstd"),
            "gzip": (b"\x1f\x8b\x08\x00" + bytes(20), "gzip"),
            "minidump": (b"MDMP\x93\xa7" + bytes(60), "a minidump without any stream"),
            "cut_minidump": (b"MDMP\x93\xa7\0\0\x09\0\0\0\x20\0\0\0" + bytes(16), "ends before its directory"),
            "minidump_of_another_version": (b"MDMP\x94\xa7" + bytes(60), "version that is not known"),
            "xml": (b'<?xml version="1.0" encoding="utf-8"?><root/>\n', "XML"),
            "random": (bytes((i * 197 + 89) % 256 for i in range(3000)), "not a snapshot"),
            "zeros": (bytes(5000), "not a snapshot"),
            "text": (b"hello\n", "not a snapshot"),
            "other_json": (b'{"name":"x"}\n', "snapshot"),
            "array": (b"[1,2]\n", "not a snapshot"),
            "newer": (b'{"schema":"vmscan.snapshot/2","regions":[]}\n', "."),
            "summary": (b'{"schema":"vmscan.summary/1","rows":[]}\n', "."),
            "empty": (b"", "empty"),
            "newline": (b"\n", "."),
        }
        for name, (content, said) in cases.items():
            with self.subTest(name):
                path = self.file(name, content)
                for command in COMMANDS:
                    self.fails(BAD, f"{name}.*: .*{said}", command, path)
                self.fails(BAD, said, "summary", "-", stdin=content)

    def test_no_file(self):
        self.fails(BAD, "nothing/here.json: No such file or directory", "summary", "nothing/here.json")
        self.fails(BAD, "here.json: No such file or directory", "summary", "--file", "here.json")

    def test_a_directory(self):
        self.fails(BAD, "Is a directory", "summary", self.directory)

    def test_a_snapshot_that_was_cut_off_at_every_length(self):
        document = json.loads(self.small.read_bytes())
        document["regions"] = document["regions"][2:3]
        document["limits"] = {}
        whole = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        path = self.directory / "cut.json"
        self.assertEqual(self.summary_of(path, whole).returncode, DONE)
        for length in range(len(whole)):
            done = self.summary_of(path, whole[:length])
            self.assertEqual((done.returncode, done.stdout), (BAD, b""), whole[:length])
            self.assert_one_line(done.stderr)

    def summary_of(self, path, content):
        path.write_bytes(content)
        return self.run_it("summary", path)

    def test_a_series_that_was_cut_off_in_its_second_line_shows_the_first_with_a_note(self):
        line = self.small.read_bytes()
        path = self.directory / "cut.jsonl"
        for length in range(1, len(line) - 1, 37):
            done = self.summary_of(path, line + line[:length])
            self.assertEqual(done.returncode, DONE, length)
            self.assertRegex(done.stderr, r"\Avmscan: note: [^\n]*line 2 is not a whole snapshot[^\n]*\n\Z")
            self.assertTrue(done.stdout)
            self.assertEqual(self.run_it("summary", "--strict", path).returncode, PARTIAL)

    def test_fields_of_the_wrong_kind(self):
        document = json.loads(self.small.read_bytes())
        changes = {
            "regions": {"x": 1},
            "target": [],
            "threads": 5,
        }
        for name, value in changes.items():
            with self.subTest(name):
                content = json.dumps({**document, name: value}).encode()
                self.fails(BAD, name, "summary", self.file("wrong.json", content))

    def test_regions_that_overlap(self):
        document = json.loads(self.small.read_bytes())
        document["regions"][2]["address"] = document["regions"][1]["address"]
        self.fails(BAD, "wrong.json: ", "details", self.file("wrong.json", json.dumps(document).encode()))

    def test_a_control_character_in_a_name_does_not_reach_the_terminal(self):
        document = json.loads(self.small.read_bytes())
        document["target"]["name"] = "a\x1b[31mb\nc"
        path = self.file("evil.json", json.dumps(document).encode())
        for command in ("summary", "details"):
            self.assertNotIn(b"\x1b", self.good(command, path))
        self.fails(GONE, r"'no[^\n]*such'", "summary", "no\x1b[2J\nsuch")


class Arguments(CommandLine):
    def test_an_unknown_command(self):
        self.fails(BAD, "unknown command 'sumary': did you mean 'summary'", "sumary", "1")
        self.fails(BAD, "unknown command 'xyzzy': 'vmscan help'", "xyzzy")
        self.fails(BAD, "unknown command 'detials': did you mean 'details'", "help", "detials")
        self.fails(BAD, "unknown command '--frobnicate'", "--frobnicate")

    def test_a_target_without_a_command(self):
        for target in ("1234", "self", "small.json"):
            self.fails(BAD, f"'{target}' is no command: did you mean 'vmscan summary {target}'", target)

    def test_a_series_that_exists(self):
        self.file("day.jsonl", b"")
        for options in ([], ["--count", "2"]):
            said = "day.jsonl: the file exists: --force replaces it, --append adds to it"
            self.fails(BAD, said, "snapshot", "self", *options, "-o", "day.jsonl")

    def test_no_command_shows_the_help_and_fails(self):
        done = self.run_it()
        self.assertEqual(done.returncode, BAD)
        self.assertIn(b"vmscan COMMAND TARGET", done.stdout)

    def test_an_unknown_option(self):
        self.fails(BAD, "unknown option '--colour': did you mean --color", "summary", self.small, "--colour", "never")
        self.fails(BAD, "unknown option '--frobnicate': .*--help", "summary", self.small, "--frobnicate")
        self.fails(BAD, "unknown option '-Z'", "details", self.small, "-Z")
        self.fails(BAD, "unknown option '--expnad': did you mean --expand", "details", self.small, "--expnad")
        self.fails(BAD, "unknown option '--intervall': did you mean --interval", "snapshot", "self", "--intervall", "1s")

    def test_an_option_without_its_value(self):
        for option in ("--columns", "--top", "-o"):
            self.fails(BAD, option, "summary", self.small, option)

    def test_unknown_words(self):
        cases = [
            (["--columns", "pirvate"], "unknown column 'pirvate'.*did you mean 'private'"),
            (["--columns", "size,qqqq"], "unknown column 'qqqq'.*total_ws"),
            (["--columns", ""], None),
            (["--sort", "sized"], "sized.*size"),
            (["--sort", "size:up"], "asc.*desc|up"),
            (["--type", "heep"], "heep.*did you mean heap"),
            (["--type", "zzzz"], "zzzz.*choose of image"),
            (["--format", "jsn"], "--format 'jsn': did you mean json"),
            (["--format", "qqqqqq"], "table, csv, json"),
            (["--units", "X"], "--units 'X'"),
            (["--color", "sometimes"], "--color 'sometimes'"),
            (["--json", "--csv"], "choose one"),
        ]
        for options, said in cases:
            if said:
                self.fails(BAD, said, "summary", self.small, *options)
                self.fails(BAD, said, "details", self.small, *options)

    def test_malformed_numbers(self):
        bad_counts = ("0", "-1", "x", "3x", "1.5", "99999999999999999999999", " 3", "0x10")
        for text in bad_counts:
            self.fails(BAD, "--top .*not a whole number", "summary", self.small, f"--top={text}")
            self.fails(BAD, "--count .*not a whole number", "snapshot", "self", f"--count={text}")
        for text in ("5x", "x", "-1s", "0", "0s", "1e400", "nan", "inf", "0.1ms", "400d", "1s ", "s"):
            self.fails(BAD, "--interval .*not a duration", "snapshot", "self", f"--interval={text}")
            self.fails(BAD, "--duration .*not a duration", "snapshot", "self", f"--duration={text}")
        for text in ("zz", "0x", "-1", "0x1g", "0x10000000000000000", "7f12g"):
            self.fails(BAD, "--address .*not an address", "details", self.small, f"--address={text}")
        for text in ("x", "-1", "8.5"):
            self.fails(BAD, "--width .*not a whole number", "summary", self.small, f"--width={text}")

    def test_a_command_and_a_target_together(self):
        for target in (["self"], ["--pid", "1"], ["--name", "x"], ["--file", "x"]):
            self.fails(BAD, "not both", "snapshot", *target, "--", "true")
        self.fails(BAD, "no command", "snapshot", "--")

    def test_a_series_of_what_does_not_change(self):
        self.fails(BAD, "a series needs a process", "snapshot", self.small, "--count", "2")

    def test_several_targets_of_a_snapshot(self):
        self.fails(BAD, "one target", "snapshot", "self", self.small)


class Outputs(CommandLine):
    def looks(self):
        return (["summary", self.small], ["details", self.small], ["snapshot", self.small], ["summary", "--json", self.small])

    def test_a_full_disk_as_standard_output(self):
        commands = (*self.looks(), ["--version"], ["help"], ["summary", "--help"], ["snapshot", "self", "--count", "2"])
        for arguments in commands:
            with open("/dev/full", "wb") as full:
                self.fails(BAD, "standard output: No space left on device", *arguments, stdout=full)

    def test_a_full_disk_as_output_file(self):
        for arguments in (*self.looks(), ["snapshot", "self", "--count", "2"]):
            self.fails(BAD, "/dev/full: No space left on device", *arguments, "-o", "/dev/full")

    def test_a_full_file_system(self):
        vmscan.need_root()
        script = 'mount -t tmpfs -o size=12k tmpfs "$0" && cd "$0" && "$@"; code=$?; ls -A "$0" >&2; exit $code'
        private = [vmscan.need("unshare"), "-m", "sh", "-c"]
        disk = self.directory / "disk"
        disk.mkdir()
        if subprocess.run([*private, script, disk, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("may not mount a file system")
        with vmscan.start("many_mappings", 300) as target:
            cases = (["details", "--json", target.pid], ["snapshot", target.pid], ["snapshot", target.pid, "--count", "1"])
            for arguments in cases:
                with self.subTest(arguments[0]):
                    done = self.run_it(*arguments, "-q", "-o", "out", prefix=[*private, script, disk])
                    self.assertEqual(done.returncode, BAD, done.stderr)
                    self.assertEqual(done.stderr, "vmscan: out: No space left on device\n", "an error, and no file is left")
            keep = 'mount -t tmpfs -o size=12k tmpfs "$0" && cd "$0" && echo old >out && "$@"; code=$?; cat out >&2; exit $code'
            done = self.run_it(*cases[0], "-q", "-o", "out", "--force", prefix=[*private, keep, disk])
            self.assertEqual((done.returncode, done.stderr), (BAD, "vmscan: out: No space left on device\nold\n"))

    def test_a_full_file_system_in_the_middle_of_a_series(self):
        vmscan.need_root()
        script = 'mount -t tmpfs -o size=64k tmpfs "$0" && cd "$0" && "$@"; code=$?; cat out; exit $code'
        private = [vmscan.need("unshare"), "-m", "sh", "-c"]
        disk = self.directory / "disk"
        disk.mkdir()
        if subprocess.run([*private, script.replace("cat out", "true"), disk, "true"], capture_output=True, check=False).returncode:
            self.skipTest("may not mount a file system")
        with vmscan.start("relro") as target:
            command = ["snapshot", target.pid, "-q", "-o", "out", "--interval", "1ms", "--count", "1000"]
            done = self.run_it(*command, prefix=[*private, script, disk])
        self.assertEqual((done.returncode, done.stderr), (BAD, "vmscan: out: No space left on device\n"))
        lines = done.stdout.split(b"\n")
        self.assertEqual(lines.pop(), b"", "the last line is whole")
        self.assertGreater(len(lines), 0)
        for line in lines:
            vmscan.validate(json.loads(line))

    def test_where_no_file_can_be(self):
        for arguments in self.looks():
            self.fails(BAD, "none/out: No such file or directory", *arguments, "-o", "none/out")
            self.fails(BAD, "Is a directory", *arguments, "-o", self.directory)
            self.fails(BAD, "small.json/out: Not a directory", *arguments, "-o", "small.json/out")

    def test_a_command_that_cannot_be_started_leaves_no_file(self):
        self.fails(BAD, "no-such-command: No such file", "snapshot", "-o", "out.jsonl", "--", "no-such-command")
        self.fails(DENIED, "small.json: Permission denied", "snapshot", "-o", "out.jsonl", "--", str(self.small))

    def test_a_failed_capture_keeps_the_file_that_it_would_replace(self):
        self.fails(GONE, "no such process", "snapshot", gone_pid(), "--force", "-o", "small.json")
        self.fails(BAD, "no-such-command", "snapshot", "--force", "-o", "small.json", "--", "no-such-command")

    def test_a_closed_pipe_is_no_error(self):
        with vmscan.start("many_mappings", 3000) as target:
            for arguments in (["details", "-q"], ["details", "--json"], ["snapshot", "-q"], ["details", "--csv", "-q"]):
                process = subprocess.Popen(
                    [vmscan.PROGRAM, *arguments, str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )
                process.stdout.read(10)
                process.stdout.close()
                err = process.stderr.read()
                process.stderr.close()
                self.assertEqual((process.wait(60), err), (DONE, b""), arguments)

    def test_a_pipe_that_was_closed_before_a_series_ends_it(self):
        with vmscan.start("relro") as target:
            process = subprocess.Popen(
                [vmscan.PROGRAM, "snapshot", "-q", "--interval", "5ms", "--until-exit", str(target.pid)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            process.stdout.close()
            try:
                self.assertEqual(process.wait(20), DONE)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                err = process.stderr.read()
                process.stderr.close()
            self.assertEqual(err, b"")


if __name__ == "__main__":
    vmscan.main()
