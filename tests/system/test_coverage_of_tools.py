"""Programs that use glibc's malloc: nearly all of their anonymous memory has an owner, and what the walk over their
heaps counts is what malloc itself counts at the same moment."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import vmscan

LEAST = 0.99
PERL = "my %h; $h{$_} = [\"value $_\"] for 1 .. 100000; delete $h{$_ * 3} for 1 .. 30000; <STDIN>;"
TCL = "for {set i 0} {$i < 100000} {incr i} {set a($i) \"value $i\"}\ngets stdin\n"
BASH = "for ((i = 0; i < 50000; i++)); do a[i]=\"value $i\"; done; read x"
PYTHON = "import sys; kept = [bytearray(600 + i % 5000) for i in range(20000)]; del kept[::3]; sys.stdin.read()"
PHP = "ini_set('memory_limit', '1G'); for ($i = 0; $i < 200000; $i++) $a[] = \"value $i\"; fgets(STDIN);"
SQL = "create table t(a, b);\nwith recursive n(i) as (select 1 union all select i + 1 from n where i < 200000) " \
      "insert into t select i, 'value ' || i from n;\ncreate index x on t(b);\nselect count(*) from t;\n"


class CoverageOfTools(owned.Covers):
    def told_by_malloc(self, pid):
        """What mallinfo2 says in the process; it waits for input, and so is not within malloc."""
        path = pathlib.Path(self.home, f"malloc.{pid}")
        os.kill(pid, signal.SIGRTMIN + 9)
        for _ in range(100):
            if path.exists() and path.read_text(encoding="ascii").endswith("\n"):
                return {k: int(v) for k, v in (word.split("=") for word in path.read_text(encoding="ascii").split())}
            time.sleep(0.05)
        return None

    def check_tool(self, *command, feed=b"", more=None):
        helper = vmscan.PROGRAMS / "tell_malloc.so"
        environment = {**os.environ, "TELL_MALLOC": f"{self.home}/malloc", "LD_PRELOAD": str(helper), **(more or {})}
        pid = self.start(*command, env=environment, feed=feed)
        info = self.told_by_malloc(pid)
        self.assertIsNotNone(info, "the program did not tell")
        with vmscan.stopped(pid):
            self.check(pid, LEAST)
            self.check_heap(vmscan.document("heap", "--json", pid), info)

    def check_heap(self, document, info):
        """As malloc counts, to the byte. Blocks in thread caches are in use there, those in fast bins are free."""
        arenas = [each for each in document["heaps"] if each["name"] != "mapped blocks"]
        mapped = [each for each in document["heaps"] if each["name"] == "mapped blocks"]
        total = document["total"]
        self.assertEqual(sum(each["size"] for each in arenas), info["arena"])
        self.assertEqual(sum(each["live_bytes"] for each in mapped), info["hblkhd"])
        self.assertEqual(sum(each["live_blocks"] for each in mapped), info["hblks"])
        self.assertEqual((total["unread"], total["broken"]), (0, 0))
        self.assertLessEqual(total["free_bytes"], info["fordblks"])
        self.assertGreaterEqual(total["free_bytes"] + total["cached_bytes"], info["fordblks"])
        print(f"    malloc says arenas {info['arena']:,}, mapped {info['hblkhd']:,}, free {info['fordblks']:,}; found "
              f"{sum(each['size'] for each in arenas):,}, {sum(each['live_bytes'] for each in mapped):,}, "
              f"{total['free_bytes']:,} and {total['cached_bytes']:,} cached; live blocks {total['live_blocks']:,}",
              flush=True)

    def test_bash(self):
        self.check_tool(vmscan.need("bash"), "-c", BASH)

    def test_perl(self):
        self.check_tool(vmscan.need("perl"), "-e", PERL)

    def test_tcl(self):
        self.check_tool(vmscan.need("tclsh"), self.write("busy.tcl", TCL))

    def test_python(self):
        self.check_tool("/usr/bin/python3", "-c", PYTHON)

    def test_php(self):
        self.check_tool(vmscan.need("php"), "-r", PHP)

    def test_sqlite(self):
        self.check_tool(vmscan.need("sqlite3"), "-batch", feed=SQL.encode())

    def test_gdb(self):
        self.check_tool(vmscan.need("gdb"), "-q", "-nx", vmscan.PROGRAM, feed=b"info line main\ninfo types ^vm\n",
                        more={"HOME": self.home})

    def test_vim(self):
        text = self.write("text", "".join(f"line {i}\n" for i in range(100000)))
        self.check_tool(vmscan.need("vim"), "-u", "NONE", "-es", "-n", text, feed=b"%s/line/word/g\n")

    def test_git(self):
        vmscan.need("git")
        subprocess.run(["git", "init", "-q", self.home], check=True, capture_output=True)
        commits = "".join(f"blob\nmark :{i}\ndata 10\n{i:010}\n" for i in range(1, 20001)) + "progress done\n"
        self.check_tool("git", "-C", self.home, "fast-import", "--quiet", feed=commits.encode())


if __name__ == "__main__":
    vmscan.main()
