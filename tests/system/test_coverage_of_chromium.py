"""Chromium with busy pages: nearly all of the anonymous memory of every one of its processes has an owner, and what its
own memory dump (chrome://tracing, memory-infra) says of PartitionAlloc, V8 and Blink's heap is what is found."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import owned
import programs
import vmscan

SCRIPTS = """<!doctype html><title>busy</title><div id=list></div><script>
kept = []; for (let i = 0; i < 5e5; i++) kept.push({ a: i, b: 'value ' + i });
buffers = []; for (let i = 0; i < 20; i++) buffers.push(new Uint8Array(1 << 20).fill(i + 1));
for (let i = 0; i < 10000; i++) {
  const line = document.createElement('p');
  line.textContent = 'line ' + i;
  document.getElementById('list').append(line);
}
memory = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(memory.buffer).fill(7);
script = new Blob(['x = []; for (let i = 0; i < 1e5; i++) x.push({ i }); onmessage = () => x']);
worker = new Worker(URL.createObjectURL(script));
</script>"""
CANVAS = """<!doctype html><canvas id=c width=1600 height=1200></canvas><svg><circle r=40 /></svg>
<form><input><textarea></textarea></form><table><tr><td>1<td>2</table><script>
context = document.getElementById('c').getContext('2d');
for (let i = 0; i < 3000; i++) {
  context.fillStyle = `hsl(${i}, 80%, 50%)`;
  context.fillRect(i % 1500, i % 1100, 60, 60);
}
pixels = context.getImageData(0, 0, 1600, 1200);
</script>"""
BUFFERS = (20 + 16) << 20  # of the first page, outside of V8's heap


class CoverageOfChromium(owned.Covers):
    def start_dump(self):
        self.devtools.ask("Tracing.start", transferMode="ReportEvents", traceConfig={
            "includedCategories": ["disabled-by-default-memory-infra"], "excludedCategories": ["*"],
            "memoryDumpConfig": {"triggers": []},
        })
        return (self.devtools.ask("Tracing.requestMemoryDump", levelOfDetail="detailed") or {}).get("success")

    def read_dump(self):
        """Bytes by process and allocator."""
        self.devtools.ask("Tracing.end")
        while not any(event["method"] == "Tracing.tracingComplete" for event in self.devtools.events):
            self.devtools.events.append(self.devtools.message())
        found = {}
        for event in self.devtools.events:
            for each in event["params"]["value"] if event["method"] == "Tracing.dataCollected" else []:
                for name, allocator in each.get("args", {}).get("dumps", {}).get("allocators", {}).items():
                    if "size" in allocator.get("attrs", {}):
                        found.setdefault(each["pid"], {})[name] = int(allocator["attrs"]["size"]["value"], 16)
        return found

    def test_every_process(self):
        pid = self.start_chromium(self.write("busy.html", SCRIPTS))
        for url in (f"file://{self.write('canvas.html', CANVAS)}", "chrome://version", "chrome://settings"):
            self.devtools.ask("Target.createTarget", url=url)
        programs.settle(pid)
        dumped = self.start_dump()
        # The tracing service is there because of the dump; it holds the buffer for it.
        found = self.check_tree(pid, but="tracing.mojom")
        self.assertTrue(any("renderer" in name for name in self.kinds.values()), self.kinds)
        if not dumped:
            self.skipTest("Chromium made no memory dump")
        told = self.read_dump()
        for each, document in found.items():
            if each in told:
                self.check_dump(self.kinds[each], document, told[each])

    def check_dump(self, name, document, told):
        """What Chromium tells is committed, and need not be in RAM; a slot span is in RAM whole or in part."""
        print(f"    {name}:", flush=True)
        slack = 4 << 20  # what changed between the dump and the stop
        partitions = told["malloc/partitions"] + told.get("partition_alloc/partitions", 0)
        alloc = owned.in_ram(document, "heap_unread", "PartitionAlloc")
        self.check_range("PartitionAlloc", alloc, told["malloc/allocated_objects"] // 2 - slack, partitions + slack)
        if "v8" not in told:
            return
        v8 = sum(owned.in_ram(document, "managed_heap", part) for part in
                 ("V8 heap cage", "V8 trusted space", "V8 code range"))
        self.check_range("V8's heap", v8, told["v8"] * 6 // 10 - (4 << 20), told["v8"] + slack)
        cppgc = owned.in_ram(document, "managed_heap", "V8 C++ heap")
        self.check_range("Blink's heap", cppgc, told["blink_gc"] * 8 // 10 - slack, told["blink_gc"] + slack)
        if v8 > 32 << 20:
            self.check_range("array buffers", owned.in_ram(document, "managed_heap", "V8 sandbox"), BUFFERS,
                             BUFFERS + slack)


if __name__ == "__main__":
    vmscan.main()
