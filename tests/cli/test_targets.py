"""TARGET: pids, names, files, snapshots of a series, standard input; notes and --strict."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cli import BAD, DONE, PARTIAL, CommandLine


class Series(CommandLine):
    def setUp(self):
        super().setUp()
        document = json.loads(self.small.read_bytes())
        lines = []
        for number in (1, 2, 3):
            document["label"] = f"number {number}"
            lines.append(json.dumps(document, ensure_ascii=False).encode() + b"\n")
        self.series = self.file("series.jsonl", b"".join(lines))

    def label(self, target, **more):
        done = self.run_it("summary", "--json", target, **more)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""), target)
        return json.loads(done.stdout)["label"]

    def test_one_snapshot_of_a_series(self):
        for index, number in ((1, 1), (2, 2), (3, 3), (-1, 3), (-2, 2), (-3, 1)):
            self.assertEqual(self.label(f"series.jsonl@{index}"), f"number {number}")

    def test_the_last_is_shown_with_a_note_that_says_so(self):
        done = self.run_it("summary", "series.jsonl")
        self.assertIn(b"[number 3]", done.stdout)
        self.assertRegex(done.stderr, r"\Avmscan: note: [^\n]*series.jsonl holds 3 snapshots: this is the last[^\n]*\n\Z")
        self.assertEqual(self.run_it("summary", "-q", "series.jsonl").stderr, "")

    def test_a_snapshot_that_the_series_does_not_hold(self):
        for index in ("99", "0", "-4", "4"):
            self.fails(BAD, f"no snapshot {index}: the file holds 3", "summary", f"series.jsonl@{index}")
        self.fails(BAD, "holds 1", "summary", "small.json@2")

    def test_standard_input(self):
        self.assertEqual(self.label("-", stdin=self.small.read_bytes()), "after warm-up")
        self.fails(BAD, "standard input: the file is empty", "summary", "-")

    def test_a_file_whose_name_looks_like_an_index(self):
        shutil.copy(self.small, self.directory / "series.jsonl@1")
        self.assertEqual(self.label("series.jsonl@1"), "after warm-up")

    def test_a_file_is_recognised_by_its_content(self):
        for name in ("1234", "core", "x.csv"):
            shutil.copy(self.small, self.directory / name)
            self.assertEqual(self.label(f"./{name}"), "after warm-up")
        self.assertEqual(json.loads(self.good("summary", "--json", "--file", "1234"))["label"], "after warm-up")


class Processes(CommandLine):
    def setUp(self):
        super().setUp()
        self.name = f"vm{os.getpid() % 100000}x"
        program = self.directory / f"{self.name}-sleeper"
        shutil.copy(vmscan.need("sleep"), program)
        self.pids = []
        for _ in range(3):
            process = subprocess.Popen([program, "1000"])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.pids.append(process.pid)
        for pid in self.pids:  # exec has happened
            while os.readlink(f"/proc/{pid}/exe") != str(program.resolve()):
                pass
        self.pids.sort()

    def documents(self, *arguments):
        done = self.run_it("summary", "--json", *arguments)
        self.assertEqual(done.returncode, DONE, done.stderr)
        return [vmscan.validate(json.loads(line)) for line in done.stdout.splitlines()]

    def test_the_beginning_of_a_name_is_the_first_such_process_with_a_note_on_the_others(self):
        for target in ([self.name], ["--name", self.name], [f"{self.name}-sl"]):
            (document,) = self.documents(*target)
            self.assertEqual(document["target"]["pid"], self.pids[0])
            (note,) = [note for note in document["notes"] if note["code"] == "other_processes"]
            self.assertIn("the first of 3 processes", note["message"])
            for pid in self.pids[1:]:
                self.assertIn(str(pid), note["message"])
        self.assertRegex(self.run_it("summary", self.name).stderr, r"vmscan: note: [^\n]*first of 3[^\n]*--all")

    def test_all_processes_of_a_name(self):
        documents = self.documents("--all", self.name)
        self.assertEqual([document["target"]["pid"] for document in documents], self.pids)
        self.assertFalse([n for d in documents for n in d["notes"] if n["code"] == "other_processes"])
        *each, total = self.documents("--all", "--total", self.name)
        self.assertEqual(total["total"]["total_ws"], sum(document["total"]["total_ws"] for document in each))

    def test_several_pids_in_their_order(self):
        documents = self.documents(self.pids[2], self.pids[0])
        self.assertEqual([document["target"]["pid"] for document in documents], [self.pids[2], self.pids[0]])

    def test_self(self):
        (document,) = self.documents("self")
        self.assertTrue(document["target"]["executable"].endswith(os.path.basename(vmscan.PROGRAM)))


class Strict(CommandLine):
    def test_a_whole_snapshot_is_good_enough(self):
        self.assertEqual(self.run_it("summary", "--strict", self.small).returncode, DONE)

    def test_a_partial_one_is_shown_and_exits_so(self):
        document = json.loads(self.small.read_bytes())
        document["notes"] = [{"code": "pages_unknown", "message": "the working set is unknown"}]
        path = self.file("partial.json", json.dumps(document).encode())
        for command in ("summary", "details"):
            done = self.run_it(command, "--strict", path)
            self.assertEqual(done.returncode, PARTIAL)
            self.assertTrue(done.stdout)
            self.assertEqual(done.stderr, "vmscan: note: pid 42: the working set is unknown\n")
            self.assertEqual(self.run_it(command, path).returncode, DONE)

    def test_a_note_that_only_explains_is_no_reason(self):
        document = json.loads(self.small.read_bytes())
        document["notes"] = [{"code": "smaps_apportioned", "message": "x"}, {"code": "from_the_future", "message": "y"}]
        path = self.file("noted.json", json.dumps(document).encode())
        self.assertEqual(self.run_it("summary", "--strict", path).returncode, DONE)

    def test_a_note_on_columns_that_are_not_shown_is_left_out(self):
        document = json.loads(self.small.read_bytes())
        document["notes"] = [{"code": "smaps_apportioned", "message": "their PSS is shared out"}]
        path = self.file("apportioned.json", json.dumps(document).encode())
        self.assertEqual(self.run_it("summary", path).stderr, "")
        self.assertEqual(self.run_it("details", path).stderr, "")
        self.assertEqual(self.run_it("summary", "--explain", path).stderr.count("PSS"), 0)
        for options in (("--full",), ("--columns", "+pss"), ("--columns", "type,dirty")):
            self.assertIn("their PSS is shared out", self.run_it("summary", *options, path).stderr, options)


if __name__ == "__main__":
    vmscan.main()
