"""Cores of Python, node, Java and Go, against the live process."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import vmscan
from cores import CoreTest

JAVA = "public class Busy { public static void main(String[] a) throws Exception { while (System.in.read() >= 0) { } } }"
# The runtime handles every signal that dumps, and on the way to a core with GOTRACEBACK=crash it runs on; so SIGABRT gets
# its default action back.
GO = """
package main

import (
	"os"
	"syscall"
	"unsafe"
)

func main() {
	block := make(chan bool)
	for i := 0; i < 50; i++ {
		go func() { <-block }()
	}
	var action [4]uint64
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	os.Stdin.Read(make([]byte, 1))
}
"""


class CoresOfRuntimes(CoreTest):
    def test_python(self):
        self.compare(self.start("/usr/bin/python3", "-c", "import ssl, ctypes, sqlite3, sys; sys.stdin.read()"))

    def test_go(self):
        environment = {**os.environ, "GOCACHE": f"{self.home}/cache", "GO111MODULE": "off", "GOFLAGS": ""}
        subprocess.run([vmscan.need("go"), "build", "-o", f"{self.home}/busy", self.write("busy.go", GO)], check=True,
                       capture_output=True, cwd=self.home, env=environment)
        self.compare(self.start(f"{self.home}/busy", wait=0.5))

    def test_node(self):
        self.compare(self.start(vmscan.need("node"), "-e", "process.stdin.resume()"))

    def test_java(self):
        vmscan.need("javac")
        self.compare(self.start(vmscan.need("java"), "-Xmx32m", self.write("Busy.java", JAVA), wait=4))


if __name__ == "__main__":
    vmscan.main()
