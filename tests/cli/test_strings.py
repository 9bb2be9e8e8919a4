"""vmscan strings: what is found, where, in which format; what is chosen; exit codes."""

import csv
import io
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import smaps
import vmscan
from cli import BAD, DONE, CommandLine

NOTHING = 1
TEXTS = [
    (64, 20, "ascii", "plain text of vmscan"),
    (256, 16, "utf8", "Jürgen of vmscan"),
    (513, 19, "utf16le", "wide text of vmscan"),
    (vmscan.PAGE - 6, 22, "ascii", "across pages of vmscan"),
    (3 * vmscan.PAGE, 8, "ascii", "\tescape "),
    (3 * vmscan.PAGE + 9, 15, "ascii", "[31m of vmscan"),
    *((4 * vmscan.PAGE + 64 * i, 20, "ascii", "five times of vmscan") for i in range(5)),
]


class Strings(CommandLine):
    def setUp(self):
        super().setUp()
        self.target = vmscan.start("texts")
        self.addCleanup(self.target.close)
        self.texts = self.target["texts"]
        self.range = f"{self.texts.begin:#x}-{self.texts.end:#x}"

    def found(self, *options, least=8):
        done = self.run_it("strings", "-q", "--range", self.range, "-n", least, *options, self.target.pid)
        self.assertIn(done.returncode, (DONE, NOTHING), done.stderr)
        return done.stdout.decode("utf-8")

    def test_a_table_by_address(self):
        lines = self.found("--no-header").splitlines()
        for line, (offset, _, encoding, text) in zip(lines, TEXTS):
            self.assertTrue(line.startswith(f"{self.texts.begin + offset:#x} "), line)
            self.assertIn(f" {encoding} ", line)
            self.assertTrue(line.endswith(text.replace("\t", "\\x09")), line)
        self.assertEqual(len(lines), len(TEXTS))

    def test_json_and_json_lines(self):
        document = json.loads(self.found("--json"))
        vmscan.validate(document)
        lines = [json.loads(line) for line in self.found("--jsonl").splitlines()]
        self.assertEqual(document["strings"], lines)
        places = [(int(s["address"], 16) - self.texts.begin, s["encoding"], s["text"]) for s in lines]
        self.assertEqual(places, [(offset, encoding, text) for offset, _, encoding, text in TEXTS])
        self.assertEqual({s["type"] for s in lines}, {"private_data"})
        self.assertEqual(document["scan"]["strings"], len(TEXTS))

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(self.found("--csv"))))
        self.assertEqual([row["text"] for row in rows], [text for *_, text in TEXTS])
        self.assertEqual(rows[2]["bytes"], "38")

    def test_count_and_limit(self):
        self.assertEqual(self.found("--count"), f"{len(TEXTS)}\n")
        self.assertEqual(len(self.found("--no-header", "--limit", 3).splitlines()), 3)
        self.assertEqual(len(json.loads(self.found("--json", "--limit", 3))["strings"]), 3)

    def test_encodings(self):
        for option, expected in (("ascii", {"ascii"}), ("utf16le", {"utf16le"}), ("utf8", {"ascii", "utf8"})):
            lines = [json.loads(line) for line in self.found("--jsonl", "-e", option).splitlines()]
            self.assertEqual({s["encoding"] for s in lines}, expected)

    def test_nothing_found_is_exit_code_1(self):
        done = self.run_it("strings", "-q", "--range", self.range, "-n", 100, self.target.pid)
        self.assertEqual((done.returncode, done.stdout), (NOTHING, b""))
        document = json.loads(self.found("--json", least=100))
        self.assertEqual(document["strings"], [])

    def test_chosen_by_type_address_and_module(self):
        pid = self.target.pid
        lines = self.lines("strings", "-q", "--jsonl", "--address", f"{self.texts.begin:#x}", pid)
        self.assertIn("plain text of vmscan", [json.loads(line)["text"] for line in lines])
        types = {json.loads(line)["type"] for line in self.lines("strings", "-q", "--jsonl", "-t", "image,stack", pid)}
        self.assertEqual(types, {"image", "stack"})
        details = {json.loads(s)["details"] for s in self.lines("strings", "-q", "--jsonl", "--module", "libc.so", pid)}
        self.assertEqual([pathlib.Path(path).name for path in details], ["libc.so.6"])

    def test_a_file_appears_as_a_whole(self):
        self.good("strings", "-q", self.target.pid, "-o", "out.txt")
        self.assertIn("plain text of vmscan", (self.directory / "out.txt").read_text(encoding="utf-8"))
        self.fails(BAD, "exists: --force", "strings", self.target.pid, "-o", "out.txt")

    def texts_of(self, *options):
        return self.found("--format", "text", *options).splitlines()

    def test_match_and_ignore_case(self):
        self.assertEqual(self.texts_of("--match", "^(plain|wide) .*n$"), ["plain text of vmscan", "wide text of vmscan"])
        self.assertEqual(self.texts_of("--match", "JÜRGEN"), [])
        self.assertEqual(self.texts_of("--match", "JÜRGEN", "-i"), ["Jürgen of vmscan"])
        self.assertEqual(self.found("--match", "five", "--count"), "5\n")

    def test_unique_keeps_the_first(self):
        rows = [json.loads(line) for line in self.found("--unique", "--jsonl").splitlines()]
        self.assertEqual(len(rows), len(TEXTS) - 4)
        self.assertEqual(int(rows[-1]["address"], 16), self.texts.begin + 4 * vmscan.PAGE)
        self.assertEqual(self.found("--unique", "--count"), f"{len(TEXTS) - 4}\n")

    def test_sort(self):
        texts = [text for *_, text in TEXTS]
        self.assertEqual(self.texts_of("--sort", "text"), sorted(texts))
        self.assertEqual(self.texts_of("--sort", "length"), sorted(texts, key=len, reverse=True))
        self.assertEqual(self.texts_of("--sort", "length:asc", "-m", 3), sorted(texts, key=len)[:3])
        self.assertEqual(self.texts_of("--sort", "address:desc"), texts[::-1])

    def test_duplicates(self):
        document = json.loads(self.found("--duplicates", "--json"))
        vmscan.validate(document)
        self.assertEqual(document["strings"], [{
            "count": 5, "length": 20, "bytes": 20, "wasted_bytes": 80, "encoding": "ascii", "types": ["private_data"],
            "address": f"{self.texts.begin + 4 * vmscan.PAGE:#x}", "text": "five times of vmscan",
        }])
        rows = list(csv.DictReader(io.StringIO(self.found("--duplicates", "--csv"))))
        self.assertEqual([(row["count"], row["wasted_bytes"]) for row in rows], [("5", "80")])
        self.assertEqual(self.found("--duplicates", "--count"), "1\n")

    def test_not_in_another_process_and_not_in_an_earlier_file(self):
        with vmscan.start("texts") as other:
            self.assertEqual(self.found("--not-in", other.pid, "--count"), "0\n")
        lines = self.found("--jsonl").splitlines(keepends=True)
        self.file("then.jsonl", "".join(lines[:-5]).encode())
        self.assertEqual(self.texts_of("--not-in", "then.jsonl"), ["five times of vmscan"] * 5)
        self.assertEqual(self.texts_of("--not-in", "then.jsonl", "--unique"), ["five times of vmscan"])
        self.file("broken.jsonl", lines[0].encode() + b"{}\n")
        self.file("nothing.jsonl", b"")  # what --jsonl writes where nothing was found
        self.assertEqual(self.texts_of("--not-in", "nothing.jsonl", "--unique"), self.texts_of("--unique"))
        self.fails(BAD, "line 2: not a string", "strings", self.target.pid, "--not-in", "broken.jsonl")
        self.fails(BAD, "holds no contents", "strings", self.target.pid, "--not-in", "small.json")

    def test_what_is_there_more_often_than_before(self):
        lines = self.found("--jsonl").splitlines(keepends=True)
        for name, kept in (("none", -5), ("some", -2), ("all", None)):
            self.file(f"{name}.jsonl", "".join(lines[:kept]).encode())
        for name, before, grown in (("none", 0, 100), ("some", 3, 40)):
            options = ("--duplicates", "--not-in", f"{name}.jsonl")
            (string,) = json.loads(self.found(*options, "--json"))["strings"]
            self.assertEqual((string["text"], string["count"], string["base_count"]), ("five times of vmscan", 5, before))
            self.assertEqual((string["grown_bytes"], string["wasted_bytes"]), (grown, 80))
            (row,) = csv.DictReader(io.StringIO(self.found(*options, "--csv")))
            self.assertEqual((row["base_count"], row["grown_bytes"]), (str(before), str(grown)))
            self.assertEqual(self.found(*options, "--count"), "1\n")
        head, row = (line.split() for line in self.found("--duplicates", "--not-in", "some.jsonl").splitlines())
        self.assertEqual(head[:5] + row[:4], ["Count", "Before", "Bytes", "Grown", "by", "5", "3", "20", "40"])
        self.assertEqual(self.found("--duplicates", "--not-in", "all.jsonl"), "")
        with vmscan.start("texts") as other:
            self.assertEqual(self.found("--duplicates", "--not-in", other.pid), "")

    def test_a_string_is_the_same_in_all_ways_of_counting(self):
        pid = self.target.pid
        plain = int(self.text("strings", "-q", "--count", pid))
        self.assertEqual(int(self.text("strings", "-q", "--count", "--match", "(?s).*", pid)), plain)
        self.assertEqual(len(self.lines("strings", "-q", "--jsonl", pid)), plain)
        different = {(s["text"], s["encoding"]) for s in map(json.loads, self.lines("strings", "-q", "--jsonl", pid))}
        self.assertEqual(int(self.text("strings", "-q", "--count", "--unique", pid)), len(different))

    def test_what_chooses_nothing_is_said(self):
        pid = self.target.pid
        for options, said in (
            (["--module", "libx.so.6"], r"--module 'libx.so.6': no image or mapped file begins so: did you mean 'libc.so.6'"),
            (["--type", "managed_heap"], "no region is of type managed_heap; there are image,"),
            (["--address", "1"], "no memory is at 0x1 that could be searched"),
        ):
            done = self.run_it("strings", *options, pid)
            self.assertEqual(done.returncode, NOTHING)
            self.assertRegex(done.stderr, r"\Avmscan: note: " + said)

    def test_the_name_of_the_file_chooses_the_format(self):
        self.good("strings", "-q", "--range", self.range, self.target.pid, "-o", "out.jsonl")
        for line in (self.directory / "out.jsonl").read_text(encoding="utf-8").splitlines():
            self.assertIn("text", json.loads(line))

    def test_bad_options(self):
        pid = self.target.pid
        self.fails(BAD, "missing \\)", "strings", pid, "--match", "(")
        self.fails(BAD, "goes with --match", "strings", pid, "-i")
        self.fails(BAD, "did you mean length", "strings", pid, "--sort", "lenght")
        self.fails(BAD, "goes with --duplicates", "strings", pid, "--sort", "count")
        self.fails(BAD, "goes with --duplicates and --not-in", "strings", pid, "--duplicates", "--sort", "grown")
        self.fails(BAD, "choose one", "strings", pid, "--unique", "--duplicates")
        self.fails(BAD, "did you mean utf16le", "strings", pid, "-e", "utf16l")
        self.fails(BAD, "0xBEGIN-0xEND", "strings", pid, "--range", "5")
        self.fails(BAD, "choose one", "strings", pid, "--json", "--csv")
        self.fails(BAD, "one target at a time", "strings", pid, pid)
        self.fails(BAD, "holds no contents", "strings", "small.json")

    def test_nothing_harms_a_terminal(self):
        _, shown = self.on_terminal("strings", "--range", self.range, self.target.pid, columns=80)
        self.assertNotIn("\t", shown)
        for line in shown.splitlines():
            self.assertTrue(line.startswith("vmscan: note:") or len(line) <= 80 + 16, line)  # and colours

    def test_the_target_does_not_grow(self):
        pid = self.target.pid
        before = [(str(m), m["Rss"], m["Swap"]) for m in smaps.smaps(pid)]
        self.run_it("strings", "--count", pid)
        self.run_it("strings", pid)
        self.assertEqual([(str(m), m["Rss"], m["Swap"]) for m in smaps.smaps(pid)], before)

    def test_what_was_left_out_is_said(self):
        done = self.run_it("strings", "--count", self.target.pid)
        self.assertRegex(done.stderr, r"vmscan: note: [\d,]+ K searched; [\d,]+ K not in RAM left out \(--all-pages")


if __name__ == "__main__":
    vmscan.main()
