// Writes minidumps byte by byte, from the documentation of minidumpapiset.h and not from the reader's structures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vmscan::tests {

using ByteList = std::vector<std::byte>;

/// Numbers are little-endian.
class ByteWriter {
 public:
  ByteWriter& u16(std::uint64_t value) { return number(value, 2); }
  ByteWriter& u32(std::uint64_t value) { return number(value, 4); }
  ByteWriter& u64(std::uint64_t value) { return number(value, 8); }
  ByteWriter& zeros(std::size_t count) { return fill(count, 0); }
  ByteWriter& fill(std::size_t count, unsigned char value) {
    bytes.resize(bytes.size() + count, std::byte{value});
    return *this;
  }
  ByteWriter& text(const std::string& value) {
    for (const char c : value) bytes.push_back(static_cast<std::byte>(c));
    return *this;
  }
  ByteWriter& append(const ByteList& other) {
    bytes.insert(bytes.end(), other.begin(), other.end());
    return *this;
  }
  ByteWriter& number(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    return *this;
  }
  /// Overwrites `width` bytes at `offset`, growing as needed.
  ByteWriter& put(std::size_t offset, std::uint64_t value, unsigned width) {
    if (bytes.size() < offset + width) bytes.resize(offset + width);
    for (unsigned i = 0; i < width; ++i) bytes[offset + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
    return *this;
  }
  ByteList bytes;
};

class DumpWriter {
 public:
  /// Appends bytes at an odd offset of the file and returns it.
  std::uint64_t blob(const ByteList& bytes) {
    if (body.bytes.size() % 2 == 0) body.zeros(1);
    const std::uint64_t at = body_at + body.bytes.size();
    body.append(bytes);
    return at;
  }
  /// MINIDUMP_STRING: bytes of UTF-16 without the NUL, the text, NUL.
  std::uint64_t string(const std::u16string& value) {
    ByteWriter out;
    out.u32(value.size() * 2);
    for (const char16_t c : value) out.u16(c);
    return blob(out.u16(0).bytes);
  }
  void stream(std::uint32_t type, const ByteList& bytes) { entry(type, bytes.size(), blob(bytes)); }
  void entry(std::uint32_t type, std::uint64_t size, std::uint64_t offset) {
    directory.u32(type).u32(size).u32(offset);
    ++streams;
  }
  /// The directory has room for most_streams; unused ones are of type 0.
  ByteList finish(std::uint32_t time = 1763740800) const {
    ByteWriter file;
    file.text("MDMP").u16(0xa793).u16(0x6380).u32(streams).u32(32).u32(0).u32(time).u64(0);
    file.append(directory.bytes).zeros(static_cast<std::size_t>(body_at) - file.bytes.size());
    return file.append(body.bytes).bytes;
  }

  static constexpr std::uint64_t most_streams = 24, body_at = 32 + 12 * most_streams;
  std::uint32_t streams = 0;
  ByteWriter directory, body;
};

// Streams of documented shape.

inline ByteList system_info(unsigned architecture, std::uint32_t platform, std::uint64_t description) {
  ByteWriter out;
  out.u16(architecture).u16(6).u16(0).u16(0x0108).u32(10).u32(0).u32(19045).u32(platform).u32(description);
  return out.zeros(28).bytes;
}

struct InfoRecord {
  std::uint64_t base, allocation, size;
  std::uint32_t state, protection, type;
};
inline ByteList memory_info(const std::vector<InfoRecord>& records, std::size_t header = 16, std::size_t stride = 48) {
  ByteWriter out;
  out.u32(header).u32(stride).u64(records.size()).zeros(header - 16);
  for (const InfoRecord& each : records)
    out.u64(each.base)
        .u64(each.allocation)
        .u32(each.protection)
        .u32(0)
        .u64(each.size)
        .u32(each.state)
        .u32(each.protection)
        .u32(each.type)
        .u32(0)
        .fill(stride - 48, 0xee);
  return out.bytes;
}

inline ByteList module_record(std::uint64_t base, std::uint64_t size, std::uint64_t name, std::uint64_t cv_size = 0,
                              std::uint64_t cv = 0) {
  ByteWriter out;
  out.u64(base).u32(size).u32(0).u32(0).u32(name).zeros(52).u32(cv_size).u32(cv).zeros(24);
  return out.bytes;
}

struct ThreadRecord {
  std::uint64_t id, teb, stack, stack_size, stack_at, context_size, context_at;
};
inline ByteList thread_record(const ThreadRecord& each) {
  ByteWriter out;
  out.u32(each.id).u32(0).u32(32).u32(0).u64(each.teb).u64(each.stack).u32(each.stack_size).u32(each.stack_at);
  return out.u32(each.context_size).u32(each.context_at).bytes;
}

/// A list with its count in 4 bytes, padded to 8 when asked.
inline ByteList counted(const std::vector<ByteList>& records, bool padded = false) {
  ByteWriter out;
  out.u32(records.size()).zeros(padded ? 4 : 0);
  for (const ByteList& each : records) out.append(each);
  return out.bytes;
}

inline ByteList memory_record(std::uint64_t begin, std::uint64_t size, std::uint64_t at) {
  return ByteWriter().u64(begin).u32(size).u32(at).bytes;
}

/// Headers of a 64-bit PE image with a .text and a .data section of one page each, at 0x1000 and 0x2000.
inline ByteList pe_headers() {
  ByteWriter out;
  out.put(0, 0x5a4d, 2).put(60, 0x80, 4).put(0x80, 0x4550, 4).put(0x86, 2, 2).put(0x94, 0xf0, 2);
  out.put(0x98, 0x20b, 2).put(0x98 + 56, 0x3000, 4).put(0x98 + 60, 0x400, 4);
  const auto section = [&](std::size_t at, const std::string& name, std::uint64_t address, std::uint64_t flags) {
    for (std::size_t i = 0; i < name.size(); ++i) out.put(at + i, static_cast<unsigned char>(name[i]), 1);
    out.put(at + 8, 0x1000, 4).put(at + 12, address, 4).put(at + 36, flags, 4);
  };
  section(0x98 + 0xf0, ".text", 0x1000, 0x60000020);
  section(0x98 + 0xf0 + 40, ".data", 0x2000, 0xc0000040);
  return out.put(0xfff, 0, 1).bytes;
}

/// A 64-bit Windows process with its whole map: program, stack, heap, TEB and PEB, a section, free memory.
ByteList windows_dump();
/// A 64-bit Linux process with the files of /proc that Breakpad stores.
ByteList linux_dump();

}  // namespace vmscan::tests
