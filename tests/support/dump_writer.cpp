#include "tests/support/dump_writer.h"

namespace vmscan::tests {
namespace {

constexpr std::uint32_t commit = 0x1000, reserve = 0x2000, unused = 0x10000;
constexpr std::uint32_t own = 0x20000, mapped = 0x40000, image = 0x1000000;

/// Offsets of the public symbols of ntdll for 64-bit Windows.
ByteList teb_page() {
  ByteWriter out;
  out.put(0x08, 0x200000, 8).put(0x10, 0x1fd000, 8).put(0x30, 0x7ff000, 8).put(0x60, 0x7fe000, 8);
  return out.put(0x1478, 0x100000, 8).put(0x1fff, 0, 1).bytes;
}
ByteList peb_page() {
  ByteWriter out;
  out.put(0x30, 0x300000, 8).put(0xe8, 2, 4).put(0xf0, 0x7fe800, 8).put(0x800, 0x300000, 8).put(0x808, 0x320000, 8);
  return out.put(0xfff, 0, 1).bytes;
}
ByteList heap_page(std::uint64_t owner) {
  return ByteWriter().put(0x10, 0xffeeffee, 4).put(0x28, owner, 8).put(0xfff, 0, 1).bytes;
}

}  // namespace

ByteList windows_dump() {
  DumpWriter dump;
  dump.stream(7, system_info(9, 2, 0));
  dump.stream(15, ByteWriter().u32(24).u32(3).u32(4711).u32(1763740000).u32(0).u32(0).bytes);
  dump.stream(16, memory_info({{0, 0, 0x10000, unused, 1, 0},
                               {0x10000, 0x10000, 0x4000, commit, 4, own},
                               {0x14000, 0, 0xec000, unused, 1, 0},
                               {0x100000, 0x100000, 0xfb000, reserve, 0, own},
                               {0x1fb000, 0x100000, 0x2000, commit, 0x104, own},
                               {0x1fd000, 0x100000, 0x3000, commit, 4, own},
                               {0x200000, 0x200000, 0x8000, commit, 2, mapped},
                               {0x208000, 0, 0xf8000, unused, 1, 0},
                               {0x300000, 0x300000, 0x1000, commit, 4, own},
                               {0x301000, 0x300000, 0xf000, reserve, 0, own},
                               {0x310000, 0x310000, 0x1000, commit, 4, own},
                               {0x311000, 0, 0x4ed000, unused, 1, 0},
                               {0x7fe000, 0x7f0000, 0x3000, commit, 4, own},
                               {0x801000, 0, 0x13f7ff000, unused, 1, 0},
                               {0x140000000, 0x140000000, 0x1000, commit, 2, image},
                               {0x140001000, 0x140000000, 0x1000, commit, 0x20, image},
                               {0x140002000, 0x140000000, 0x1000, commit, 8, image},
                               {0x140003000, 0, 0x7ffebffed000, unused, 1, 0}}));
  const auto name = dump.string(u"C:\\Programs\\über \U0001f600.exe");
  ByteWriter pdb;
  pdb.text("RSDS").u32(0x11223344).u16(0x5566).u16(0x7788).u32(0x04030201).u32(0x08070605).u32(10).text("a.pdb");
  const auto symbols = dump.blob(pdb.zeros(1).bytes);
  dump.stream(4, counted({module_record(0x140000000, 0x3000, name, pdb.bytes.size(), symbols)}));
  const auto context = dump.blob(ByteWriter().put(0x98, 0x1ff800, 8).put(1231, 0, 1).bytes);
  const auto stack = dump.blob(ByteWriter().fill(0x800, 0x77).bytes);
  dump.stream(3, counted({thread_record({4712, 0x7ff000, 0x1ff800, 0x800, stack, 1232, context})}));
  dump.stream(24, counted({ByteWriter().u32(4712).u64(dump.string(u"worker")).bytes}));
  ByteWriter memory;
  memory.append(heap_page(0x300000)).append(heap_page(0x300000)).append(peb_page()).append(teb_page());
  memory.append(pe_headers());
  const auto base = dump.blob(memory.bytes);
  ByteWriter list;
  list.u64(4).u64(base).u64(0x300000).u64(0x1000).u64(0x310000).u64(0x1000).u64(0x7fe000).u64(0x3000);
  dump.stream(9, list.u64(0x140000000).u64(0x1000).bytes);
  ByteWriter exception;
  exception.u32(4712).u32(0).u32(0xc0000005).u32(0).u64(0).u64(0x140001234).u32(2).u32(0).zeros(120);
  dump.stream(6, exception.u32(1232).u32(context).bytes);
  return dump.finish();
}

ByteList linux_dump() {
  DumpWriter dump;
  dump.stream(7, system_info(9, 0x8201, dump.string(u"Linux 6.1.0-18-amd64 #1 SMP x86_64")));
  dump.stream(0x47670009, ByteWriter()
                              .text("00400000-00401000 r--p 00000000 fe:00 12                         /opt/a b\n"
                                    "00401000-00402000 r-xp 00001000 fe:00 12                         /opt/a b\n"
                                    "00402000-00403000 rw-p 00000000 00:00 0                          [heap]\n"
                                    "00403000-00404000 rw-p 00000000 00:00 0 \n"
                                    "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
                                    "7f0000001000-7f0000009000 rw-p 00000000 00:00 0 \n"
                                    "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                  [stack]\n")
                              .bytes);
  dump.stream(0x47670004,
              ByteWriter().text("Name:\tworker\nState:\tt\nPPid:\t1\nUid:\t7\t7\t7\t7\nVmRSS:\t 12 kB\n").bytes);
  dump.stream(0x47670006, ByteWriter().text("/opt/a b").zeros(1).text("--fast").zeros(1).bytes);
  dump.stream(0x47670008,
              ByteWriter().u64(9).u64(0x401000).u64(6).u64(4096).u64(25).u64(0x7ffd00020000).u64(0).u64(0).bytes);
  dump.stream(15, ByteWriter().u32(24).u32(1).u32(99).zeros(12).bytes);
  const auto context = dump.blob(ByteWriter().put(0x98, 0x7f0000008000, 8).put(1231, 0, 1).bytes);
  const auto stack = dump.blob(ByteWriter().fill(0x1000, 0x55).bytes);
  dump.stream(3, counted({thread_record({100, 0, 0x7f0000008000, 0x1000, stack, 1232, context})}, true));
  dump.stream(5, counted({memory_record(0x7f0000008000, 0x1000, stack)}, true));
  ByteWriter id;
  id.u32(0x4270454c).u32(0xddccbbaa).u16(0xffee);
  dump.stream(4, counted({module_record(0x400000, 0x2000, dump.string(u"/opt/a b"), 10, dump.blob(id.bytes))}, true));
  return dump.finish();
}

}  // namespace vmscan::tests
