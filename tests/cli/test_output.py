"""What is printed: tables, CSV and JSON of a saved snapshot and of running processes, and where they go."""

import csv
import io
import json
import os
import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import laws
import vmscan
from cli import BAD, DONE, CommandLine, without_color

SIZES = "size committed private total_ws private_ws shareable_ws shared_ws locked_ws".split()
BAR = "▇"


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


class OutputFile(CommandLine):
    def test_an_existing_file_is_kept_without_force(self):
        self.file("out", b"precious")
        for arguments in (["summary", self.small], ["snapshot", self.small], ["snapshot", "self", "--count", "1"]):
            self.fails(BAD, "out: the file exists: --force replaces it", *arguments, "-o", "out")

    def test_force_replaces(self):
        for arguments in (["summary", "--json", self.small], ["snapshot", self.small]):
            self.file("out", b"old" * 10000)
            self.assertEqual(self.good(*arguments, "-o", "out", "--force"), b"")
            self.assertEqual((self.directory / "out").read_bytes(), self.good(*arguments))
        self.assertEqual(list(self.files()), ["out", "small.json"], "no temporary file is left")

    def test_a_new_file_has_what_standard_output_has(self):
        for options in ([], ["--csv"], ["--json"]):
            for command in ("summary", "details"):
                self.good(command, self.small, *options, "-o", "out")
                self.assertEqual((self.directory / "out").read_bytes(), self.good(command, self.small, *options))
                (self.directory / "out").unlink()

    def test_its_name_chooses_the_format(self):
        for command in ("summary", "details"):
            for extension in ("csv", "json"):
                self.good(command, self.small, "-o", f"{command}.{extension}")
                expected = self.good(command, self.small, f"--{extension}")
                self.assertEqual((self.directory / f"{command}.{extension}").read_bytes(), expected)
        self.good("diff", self.small, self.small, "-o", "diff.md")
        self.assertTrue((self.directory / "diff.md").read_bytes().startswith(b"#"))
        self.good("summary", self.small, "--format", "table", "-o", "table.csv")
        self.assertEqual((self.directory / "table.csv").read_bytes(), self.good("summary", self.small))

    def test_a_device_is_written_to_and_not_replaced(self):
        for arguments in (["summary", self.small], ["snapshot", self.small], ["snapshot", "-q", "self", "--count", "1"]):
            self.good(*arguments, "-o", "/dev/null")
            self.assertTrue(pathlib.Path("/dev/null").is_char_device())

    def test_a_fifo_is_written_to_and_not_replaced(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        read = []
        reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
        reader.start()
        done = self.run_it("summary", "--json", self.small, "-o", fifo)
        reader.join(30)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertTrue(fifo.is_fifo())
        self.assertEqual(read, [self.good("summary", "--json", self.small)])

    def test_a_link_is_kept(self):
        (self.directory / "real").write_bytes(b"old")
        (self.directory / "link").symlink_to("real")
        self.good("snapshot", self.small, "-o", "link", "--force")
        self.assertTrue((self.directory / "link").is_symlink())
        self.assertEqual((self.directory / "real").read_bytes(), self.good("snapshot", self.small))


class Tables(CommandLine):
    def test_what_was_asked_for_stays_on_a_narrow_terminal(self):
        for options in (["--columns", "+swap"], ["--sort", "locked_ws", "--columns", "+locked_ws"]):
            wanted = "Swap" if "+swap" in options else "Locked WS"
            head = self.text("summary", self.small, "-q", *options, "--width", "70").splitlines()
            self.assertTrue(any(wanted in line and "Type" in line for line in head), head)

    def test_a_total_over_more_than_the_rows_is_called_so(self):
        self.assertRegex(self.text("summary", self.small), r"\nTotal ")
        self.assertRegex(self.text("summary", self.small, "--type", "heap"), r"\nAll types ")
        self.assertRegex(self.text("summary", self.small, "--top", "1"), r"\nAll types ")
        self.assertEqual(rows_of(self.text("summary", self.small, "--type", "heap", "--csv"))[-1]["type"], "total")

    def test_a_type_that_is_not_there_is_said(self):
        done = self.run_it("details", "--type", "managed_heap", self.small)
        self.assertEqual(done.returncode, DONE)
        self.assertRegex(done.stderr, r"\Avmscan: note: no region is of type managed_heap; there are image,[^\n]*\n\Z")

    def test_a_column_that_a_snapshot_has_not_is_said(self):
        done = self.run_it("summary", "--sort", "pss", self.small)
        self.assertRegex(done.stderr, r"note: [^\n]*--sort pss: PSS is unknown: 'vmscan snapshot --full' saves it\n")

    def test_no_line_is_wider_than_asked(self):
        with vmscan.start("threads", 3) as target:
            saved = self.directory / "saved.json"
            self.good("snapshot", target.pid, "-q", "-o", saved)
        for file in (self.small, saved):
            wide = ["details", "-x", "--explain", "--free"]  # needs more than 80 for the columns that always stay
            for command, widths in ((["summary"], (80, 200)), (["details"], (80, 200)), (wide, (120, 200))):
                for width in widths:
                    for line in self.lines(*command, "-q", "--width", width, file):
                        self.assertLessEqual(len(line), width, (command, line))

    def test_what_is_left_out_is_named(self):
        self.assertRegex(self.text("summary", "--width", 60, self.small), "not shown at this width: [A-Z]")
        self.assertNotIn("not shown", self.text("summary", "--width", 200, self.small))

    def test_types_that_use_nothing_are_hidden(self):
        text = self.text("summary", self.small)
        self.assertNotIn("Mapped File", text)
        self.assertIn("Image", text)

    def test_sizes_have_separators_and_units(self):
        self.assertIn(" 137,438,953,188 ", self.text("summary", self.small))
        self.assertIn(" 140,737,488,064,512 ", self.text("summary", "--units", "B", self.small))
        self.assertRegex(self.text("summary", "--units", "auto", self.small), r" 128\S* T| 128\.0 ?T|TiB|\dT")

    def test_no_header(self):
        with_header, without = (self.lines("summary", self.small, *o) for o in ([], ["--no-header"]))
        self.assertEqual([line.split() for line in with_header[-len(without) :]], [line.split() for line in without])
        self.assertNotIn("Type", without[0])
        self.assertFalse(self.text("summary", "--csv", "--no-header", self.small).startswith("type"))

    def test_color_only_where_it_is_wanted(self):
        cases = [
            ([], {}, False),
            (["--color", "always"], {}, True),
            (["--color", "always"], {"NO_COLOR": "1"}, True),
            (["--color", "never"], {"CLICOLOR_FORCE": "1"}, False),
            ([], {"CLICOLOR_FORCE": "1"}, True),
            ([], {"CLICOLOR_FORCE": "0"}, False),
            ([], {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
            (["--csv", "--color", "always"], {}, False),
            (["--json", "--color", "always"], {}, False),
        ]
        for options, env, colored in cases:
            for command in ("summary", "details"):
                text = self.text(command, self.small, *options, env=env)
                self.assertEqual("\x1b[" in text, colored, (command, options, env))
                self.assertNotIn(BAR, text, "no bars in a pipe")
        plain = self.text("summary", self.small)
        colored = without_color(self.text("summary", self.small, "--color", "always"))
        self.assertEqual(colored.replace("■", "").split(), plain.split())

    def test_a_terminal_gets_bars_and_colors(self):
        code, shown = self.on_terminal("summary", self.small, columns=100)
        self.assertEqual(code, DONE)
        self.assertIn("\x1b[", shown)
        bars = [line for line in without_color(shown).splitlines() if BAR in line]
        self.assertEqual([line.split("  ")[0].strip() for line in bars], ["Committed", "Private", "Working set"])
        # All on one scale: 224, 216 and 48 KiB.
        self.assertEqual([line.split()[-2:] for line in bars], [["224", "K"], ["216", "K"], ["48", "K"]])
        cells = [line.count(BAR) for line in bars]
        self.assertEqual(max(cells), cells[0])
        for drawn, kib in zip(cells, (224, 216, 48)):
            self.assertAlmostEqual(drawn / cells[0], kib / 224, delta=0.03)
        for line in without_color(shown).splitlines():
            self.assertLessEqual(len(line), 100, line)

    def test_a_terminal_without_color_gets_bars_all_the_same(self):
        for options, env in ((["--color", "never"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})):
            _, shown = self.on_terminal("summary", self.small, *options, env=env)
            self.assertNotIn("\x1b", shown)
            self.assertIn(BAR, shown)

    def test_no_bars_in_details_and_other_formats(self):
        for arguments in (["details"], ["summary", "--csv"], ["summary", "--json"]):
            _, shown = self.on_terminal(*arguments, self.small)
            self.assertNotIn(BAR, shown)

    def test_the_title_says_whose_it_is(self):
        title = self.lines("summary", self.small)[0]
        for part in ("target", "pid 42", "7 inside", "after warm-up", "2026-11-21 08:00:12Z", "827 mappings of 65,530", "stable"):
            self.assertIn(part, title)


class Formats(CommandLine):
    def test_json_is_format_json(self):
        for command in ("summary", "details"):
            self.assertEqual(self.good(command, "--json", self.small), self.good(command, "--format", "json", self.small))
            self.assertEqual(self.good(command, "--csv", self.small), self.good(command, "--format", "CSV", self.small))
            self.assertEqual(self.good(command, self.small), self.good(command, "--format", "table", self.small))

    def test_the_same_snapshot_gives_the_same_bytes(self):
        for command in (["summary"], ["details"], ["details", "-x", "--free", "--explain"], ["snapshot"]):
            for options in ([], ["--csv"], ["--json"]) if command != ["snapshot"] else ([],):
                first, second = (self.good(*command, *options, self.small) for _ in range(2))
                self.assertEqual(first, second)

    def test_a_saved_snapshot_comes_back_the_same(self):
        self.assertEqual(self.good("snapshot", self.small), self.small.read_bytes())

    def test_json_keeps_to_its_schema(self):
        for options in ([], ["--columns", "+pss,swap"], ["--type", "heap"], ["--top", "2"], ["--full"]):
            document = json.loads(self.good("summary", "--json", *options, self.small))
            if not {"--type", "--top"} & set(options):  # the rows of some types do not add up to the total
                vmscan.validate(document)
            vmscan.validate(json.loads(self.good("details", "--json", *options, self.small)))
        for options in (["-x"], ["--free"], ["--explain"], ["--address", "0x500000"]):
            vmscan.validate(json.loads(self.good("details", "--json", *options, self.small)))

    def test_the_summary_of_the_small_snapshot(self):
        document = json.loads(self.good("summary", "--json", self.small))
        rows = {row["type"]: row for row in document["rows"]}
        regions = json.loads(self.small.read_bytes())["regions"]
        for kind in ("image", "heap", "stack", "unusable"):
            mine = [region for region in regions if region["type"] == kind]
            self.assertEqual([rows[kind][c] for c in SIZES], [sum(r[c] for r in mine) for c in SIZES], kind)
            self.assertEqual(rows[kind]["largest"], max(r["size"] for r in mine))
        self.assertEqual(rows["free"]["size"] + sum(r["size"] for r in regions), 0x7FFFFFFFF000)
        self.assertEqual(document["total"]["size"], sum(r["size"] for r in regions) + 12288)

    def test_csv_adds_up(self):
        *rows, total = rows_of(self.text("summary", "--csv", self.small))
        self.assertEqual(total["type"], "total")
        for column in SIZES:
            self.assertEqual(sum(int(row[column]) for row in rows if row["type"] != "free"), int(total[column]), column)
        regions = rows_of(self.text("details", "--csv", self.small))
        for column in SIZES[1:]:
            extra = 12288 if column in ("committed", "private") else 0  # page tables are no region
            self.assertEqual(sum(int(row[column]) for row in regions) + extra, int(total[column]), column)

    def test_csv_quotes_what_needs_it(self):
        found = [row["details"] for row in rows_of(self.text("details", "--csv", self.small))]
        self.assertIn('/usr/bin/target "quoted" é', found)

    def test_unknown_is_an_empty_cell_and_null(self):
        row = rows_of(self.text("summary", "--csv", "--columns", "type,pss", self.small))[0]
        self.assertEqual(row, {"type": "image", "pss": ""})
        document = json.loads(self.good("summary", "--json", "--columns", "+pss", self.small))
        self.assertIsNone(document["total"]["pss"])


class Choices(CommandLine):
    def column(self, name, *options):
        return [row[name] for row in rows_of(self.text("details", "--csv", "--columns", f"{name}", *options, self.small))]

    def test_columns(self):
        header = self.lines("summary", "--csv", "--columns", "type,private,size", self.small)[0]
        self.assertEqual(header, "type,private,size")
        default = self.lines("summary", "--csv", self.small)[0].split(",")
        self.assertEqual(set(self.lines("summary", "--csv", "--columns", "+swap,pss", self.small)[0].split(",")) - set(default), {"swap", "pss"})
        self.assertEqual(self.lines("summary", "--csv", "--columns=-largest", self.small)[0].split(","), default[:-1])

    def test_sort(self):
        sizes = [int(text) for text in self.column("size")]
        self.assertEqual([int(t) for t in self.column("size", "--sort", "size:desc")], sorted(sizes, reverse=True))
        self.assertEqual([int(t) for t in self.column("size", "--sort", "size:asc")], sorted(sizes))
        self.assertEqual([int(t) for t in self.column("size", "--sort", "size")], sorted(sizes, reverse=True), "the largest first")

    def test_top(self):
        self.assertEqual(self.column("address", "--sort", "size", "--top", "2"), ["0x500000", "0x0"])
        self.assertEqual(len(self.column("address", "--top", "100")), 5)

    def test_type(self):
        self.assertEqual(self.column("address", "--type", "heap"), ["0x500000", "0x600000"])
        for spelling in ("Heap", "HEAP"):
            self.assertEqual(self.column("address", "--type", spelling), ["0x500000", "0x600000"])
        self.assertEqual(self.column("address", "-t", "heap", "-t", "stack"), ["0x500000", "0x600000", "0x7ffffffd0000"])
        rows = rows_of(self.text("summary", "--csv", "--type", "Page Table", self.small))
        self.assertEqual(rows[0]["type"], "page_table")

    def test_address(self):
        around = ["0x0", "0x400000", "0x500000"]
        for address in ("0x400000", "0x403fff", "4194304"):
            self.assertEqual(self.column("address", "--address", address), around, address)
        self.assertIn("0x404000", self.column("address", "--address", "0x450000", "--free") + self.column("address", "--address", "0x450000"))

    def test_expand(self):
        rows = rows_of(self.text("details", "--csv", "-x", "--type", "image", self.small))
        self.assertEqual([row["address"] for row in rows], ["0x400000", "0x400000", "0x402000"])
        self.assertEqual([row["row"] for row in rows], ["region", "block", "block"])
        for column in SIZES:
            self.assertEqual(int(rows[0][column]), int(rows[1][column]) + int(rows[2][column]), column)
        self.assertEqual(rows[2]["details"], ".data .bss")

    def test_free(self):
        rows = rows_of(self.text("details", "--csv", "--free", self.small))
        at = 0
        for row in rows:
            self.assertEqual(int(row["address"], 16), at, "regions and holes follow each other")
            at += int(row["size"])
        self.assertEqual(at, 0x7FFFFFFFF000)

    def test_explain(self):
        text = self.text("details", "--explain", self.small)
        self.assertIn("elf_image", text)
        self.assertIn("ELF header at 0x400000", text)
        with vmscan.start("relro") as target:
            document = json.loads(self.good("details", "--json", "--explain", "-q", target.pid))
        for region in document["regions"]:
            if region["type"] not in ("page_table", "free"):
                self.assertTrue(region["rule"])


class SeveralTargets(CommandLine):
    def setUp(self):
        super().setUp()
        document = json.loads(self.small.read_bytes())
        document["target"].update(pid=43, name="second, one")
        self.second = self.file("second.json", json.dumps(document).encode())

    def test_tables_stand_one_after_the_other(self):
        both = self.text("summary", self.small, self.second)
        self.assertEqual(both, self.text("summary", self.small) + "\n" + self.text("summary", self.second))

    def test_json_is_one_document_a_line(self):
        lines = self.lines("summary", "--json", self.small, self.second)
        self.assertEqual([vmscan.validate(json.loads(line))["target"]["pid"] for line in lines], [42, 43])

    def test_csv_says_whose_a_row_is(self):
        for command in ("summary", "details"):
            rows = rows_of(self.text(command, "--csv", self.small, self.second))
            self.assertEqual({(row["pid"], row["name"]) for row in rows}, {("42", "target"), ("43", "second, one")})

    def test_the_total_is_the_sum(self):
        done = self.run_it("summary", "--json", "--total", self.small, self.second)
        first, second, total = (json.loads(line) for line in done.stdout.splitlines())
        for document in (first, second, total):
            vmscan.validate(document)
        for column in [*SIZES, "regions", "blocks"]:
            self.assertEqual(total["total"][column], first["total"][column] + second["total"][column], column)
            for a, b, both in zip(first["rows"], second["rows"], total["rows"]):
                self.assertEqual(both[column], a[column] + b[column], (both["type"], column))
        self.assertEqual([note["code"] for note in total["notes"]], ["shared_counted_repeatedly"])
        text = self.run_it("summary", "--total", self.small, self.second)
        self.assertIn(b"total of 2 processes", text.stdout)
        self.assertRegex(text.stderr, "Shared WS is counted once in each of the 2 processes")

    def test_one_that_fails_does_not_hide_the_others(self):
        done = self.run_it("summary", self.small, "none/x", self.second)
        self.assertEqual(done.returncode, BAD)
        self.assert_one_line(done.stderr)
        self.assertEqual(done.stdout, self.good("summary", self.small, self.second))


class Help(CommandLine):
    def test_help_is_on_standard_output_with_examples_first(self):
        for arguments in (["--help"], ["-h"], ["help"], *([c, "--help"] for c in ("summary", "details", "snapshot"))):
            text = self.text(*arguments)
            self.assertIn("Examples:\n  vmscan ", text)
            self.assertLess(text.index("Examples:"), text.index("Usage:"))
        for command in ("summary", "details", "snapshot"):
            self.assertEqual(self.good("help", command), self.good(command, "--help"))
            self.assertEqual(self.good(command, "-h"), self.good(command, "--help"))

    def test_the_help_names_every_command_and_exit_code(self):
        text = self.text("help")
        for word in ("summary", "details", "snapshot", "0 done", "2 usage", "3 no such process", "4 permission", "5 partial"):
            self.assertIn(word, text)

    def test_the_version(self):
        for spelling in ("--version", "-V", "version"):
            self.assertRegex(self.text(spelling), r"\Avmscan \d+\.\d+\.\d+\n\Z")


class LiveProcess(CommandLine):
    def test_a_process_and_its_snapshot_say_the_same(self):
        with vmscan.start("typical") if (vmscan.PROGRAMS / "typical").exists() else vmscan.start("relro") as target:
            with vmscan.stopped(target.pid):
                self.good("snapshot", "-q", target.pid, "-o", "saved.json")
                live = json.loads(self.good("details", "--json", target.pid))
        saved = json.loads(self.good("details", "--json", "saved.json"))
        mine = [{k: v for k, v in region.items() if k != "shared_ws" and k != "blocks"} for region in saved["regions"]]
        theirs = [{k: v for k, v in region.items() if k != "shared_ws" and k != "blocks"} for region in live["regions"]]
        self.assertEqual(mine, theirs)
        self.assertEqual(laws.broken_laws(saved), [])

    def test_columns_of_smaps_are_filled_when_asked_for(self):
        with vmscan.start("relro") as target:
            asked = json.loads(self.good("summary", "--json", "--columns", "+pss", target.pid))
            self.assertGreater(asked["total"]["pss"], 0)
            full = json.loads(self.good("summary", "--json", "--full", target.pid))
            for column in ("pss", "dirty", "referenced"):
                self.assertGreater(full["total"][column], 0)
            self.assertIsNone(json.loads(self.good("summary", "--json", target.pid))["total"]["pss"])


if __name__ == "__main__":
    vmscan.main()
