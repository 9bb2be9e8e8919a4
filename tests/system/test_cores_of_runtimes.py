"""Cores of Python, node, Java and Go, against the live process."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import programs
import vmscan
from cores import CoreTest

JAVA = "public class Busy { public static void main(String[] a) throws Exception { while (System.in.read() >= 0) { } } }"


class CoresOfRuntimes(CoreTest):
    def test_python(self):
        self.compare(self.start("/usr/bin/python3", "-c", "import ssl, ctypes, sqlite3, sys; sys.stdin.read()"))

    def test_go(self):
        self.compare(self.start(programs.build_go(self.home), wait=0.5))

    def test_node(self):
        self.compare(self.start(vmscan.need("node"), "-e", "process.stdin.resume()"))

    def test_java(self):
        vmscan.need("javac")
        self.compare(self.start(vmscan.need("java"), "-Xmx32m", self.write("Busy.java", JAVA), wait=4))


if __name__ == "__main__":
    vmscan.main()
