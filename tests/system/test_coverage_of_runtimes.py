"""Programs with a garbage collector: nearly all of their anonymous memory has an owner, and of what is named after the
runtime at least what the program keeps is in RAM, and no more than what the runtime says that it has."""

import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import programs
import vmscan

NODE = """
const kept = [], buffers = [];
for (let i = 0; i < 3e5; i++) kept.push({ a: i, b: 'value ' + i });
for (let i = 0; i < 20; i++) buffers.push(Buffer.alloc(1 << 20, i));
require('fs').writeSync(1, JSON.stringify(process.memoryUsage()) + '\\n');
require('fs').readSync(0, Buffer.alloc(1));
console.log(kept.length, buffers.length);
"""
PYTHON = "import sys; kept = [(i, str(i)) for i in range(300000)]; sys._debugmallocstats(); sys.stdin.read()"
RUBY = """
x = (1..300000).map { |i| [i.to_s] }
GC.start
GC.disable
STDOUT.sync = true
puts "bytes #{GC.stat(:heap_live_slots) * 40} #{GC.stat(:heap_allocated_pages) * 65536}"
STDIN.read
"""
LUA = """
x = {}
for i = 1, 200000 do x[i] = {i} end
collectgarbage()
io.write('bytes ', collectgarbage('count') * 1024, '\\n')
io.flush()
io.read()
"""
PHP = """
ini_set('memory_limit', '1G');
for ($i = 0; $i < 200000; $i++) $a[] = "value $i";
$b = str_repeat('x', 5 << 20);
echo 'bytes ', memory_get_usage(), ' ', memory_get_usage(true), "\\n";
fgets(STDIN);
"""
MONO = """
class Busy {
  static void Main() {
    var kept = new System.Collections.Generic.List<byte[]>();
    for (int i = 0; i < 20000; ++i) kept.Add(new byte[1000]);
    System.Console.WriteLine("bytes " + System.GC.GetTotalMemory(true));
    while (System.Console.In.Read() >= 0) { }
    System.Console.WriteLine(kept.Count);
  }
}
"""


class CoverageOfRuntimes(owned.Covers):
    def output(self, pattern):
        path = pathlib.Path(self.home, "output")
        for _ in range(300):
            if found := re.search(pattern, path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
                return found
            time.sleep(0.1)
        self.fail(f"the program did not write {pattern}")

    def numbers(self):
        return [int(float(word)) for word in self.output(r"^bytes .*$")[0].split()[1:]]

    def test_node(self):
        pid = self.start(vmscan.need("node"), "-e", NODE)
        told = json.loads(self.output(r"^\{.*\}$")[0])
        document = self.check_stopped(pid)
        tables = owned.in_ram(document, "managed_heap", "V8 pointer tables")
        heap = owned.in_ram(document, "managed_heap", "V8") - tables
        # V8 counts neither its read-only space nor all of the range for code.
        self.check_range("V8", heap, told["heapUsed"] * 9 // 10, told["heapTotal"] + (4 << 20))
        self.assertGreater(owned.in_ram(document, "heap_live"), 20 << 20)  # the buffers

    def test_java(self):
        java, compiler, jcmd = (vmscan.need(each) for each in ("java", "javac", "jcmd"))
        source = self.write("Busy.java", programs.JAVA)
        subprocess.run([compiler, source], check=True, capture_output=True, cwd=self.home)
        pid = self.start(java, "-Xmx256m", "-XX:NativeMemoryTracking=summary", "-cp", self.home, "Busy")
        told = subprocess.run([jcmd, str(pid), "VM.native_memory"], check=True, capture_output=True, text=True).stdout
        document = self.check_stopped(pid)
        kept = (20000 * 2000) + (3 << 20)
        for name, part in (("Java Heap", "HotSpot Java heap"), ("Code", "HotSpot code cache")):
            mapped = re.search(rf"- +{name} \(.*\n(?:.*malloc.*\n)?.*mmap: reserved=\d+KB, committed=(\d+)KB", told)
            least = kept if name == "Java Heap" else 256 << 10
            self.check_range(part, owned.in_ram(document, "managed_heap", part), least, int(mapped[1]) << 10)

    def test_go(self):
        pid = self.start(programs.build_go(self.home))
        everything = int(self.output(r"^\d+ (\d+)$")[1])
        document = self.check_stopped(pid)
        self.check_range("Go", owned.in_ram(document, "managed_heap", "Go"), programs.GO_KEPT, everything)

    def test_python(self):
        pid = self.start("/usr/bin/python3", "-c", PYTHON)
        arenas = int(self.output(r"^\d+ arenas \* \d+ bytes/arena *= *([\d,]+)")[1].replace(",", ""))
        used = int(self.output(r"^# bytes in allocated blocks *= *([\d,]+)")[1].replace(",", ""))
        document = self.check_stopped(pid)
        self.check_range("CPython", owned.in_ram(document, "managed_heap", "CPython"), used, arenas)

    def test_ruby(self):
        pid = self.start(vmscan.need("ruby"), "--disable-gems", "-e", RUBY)
        used, pages = self.numbers()
        document = self.check_stopped(pid)
        self.check_range("Ruby", owned.in_ram(document, "managed_heap", "Ruby"), used, pages + (128 << 10))

    def test_luajit(self):
        pid = self.start(vmscan.need("luajit"), "-e", LUA)
        (used,) = self.numbers()
        document = self.check_stopped(pid)
        found = owned.in_ram(document, "managed_heap", "LuaJIT")
        self.check_range("LuaJIT", found, used, 2 * used)  # garbage that was freed stays in its segments

    def test_php(self):
        pid = self.start(vmscan.need("php"), "-r", PHP)
        used, everything = self.numbers()
        document = self.check_stopped(pid)
        self.check_range("PHP", owned.in_ram(document, "managed_heap", "PHP"), used * 9 // 10, everything)
        regions = [r for r in vmscan.details(pid)["regions"] if r["details"] == "PHP heap"]
        self.assertEqual(sum(region["size"] for region in regions), everything)

    def test_mono(self):
        mono, compiler = vmscan.need("mono"), vmscan.need("mcs")
        source = self.write("Busy.cs", MONO)
        subprocess.run([compiler, f"-out:{self.home}/Busy.exe", source], check=True, capture_output=True)
        pid = self.start(mono, f"{self.home}/Busy.exe")
        (used,) = self.numbers()
        document = self.check_stopped(pid)
        found = owned.in_ram(document, "managed_heap", "Mono")
        self.check_range("Mono", found, used, 3 * used + (8 << 20))

    def test_coreclr(self):
        pid = self.start_dotnet(MONO)
        (used,) = self.numbers()
        document = self.check_stopped(pid)
        self.check_range("CoreCLR", owned.in_ram(document, "managed_heap", "CoreCLR"), used, 3 * used + (8 << 20))


if __name__ == "__main__":
    vmscan.main()
