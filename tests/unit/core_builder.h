// ELF cores built byte by byte after elf(5), core(5) and fs/binfmt_elf.c, not with the structures of the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vmscan::tests {

class ByteWriter {
 public:
  /// Little-endian, `width` bytes.
  ByteWriter& number(std::uint64_t value, std::size_t width);
  /// Cut or filled with NULs to `width` bytes.
  ByteWriter& text(const std::string& value, std::size_t width);
  ByteWriter& append(const std::vector<std::byte>& more);
  std::vector<std::byte> bytes;
};

struct BuiltFile {  // an entry of NT_FILE
  std::uint64_t begin, end, page;
  std::string path;
};

class CoreBuilder {
 public:
  explicit CoreBuilder(unsigned bits = 64, unsigned machine = 62) : word_(bits / 8), machine_(machine) {}

  CoreBuilder& load(std::uint64_t flags, std::uint64_t address, std::uint64_t size, std::vector<std::byte> dumped = {});
  CoreBuilder& files(const std::vector<BuiltFile>& files);
  /// `stack_pointer` is the `index`-th general register.
  CoreBuilder& thread(std::uint32_t id, std::uint64_t stack_pointer, std::size_t index);
  CoreBuilder& process(std::uint32_t pid, const std::string& name, const std::string& command_line);
  CoreBuilder& auxiliary(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& entries);
  CoreBuilder& signal(std::uint32_t number, std::int32_t code, std::uint64_t address);
  CoreBuilder& note(std::uint32_t type, const std::vector<std::byte>& descriptor, const std::string& owner = "CORE");

  /// The count of program headers stands in section 0 (PN_XNUM).
  CoreBuilder& extended_count() { return extended_ = true, *this; }
  /// Sections for every segment, as BFD writes them.
  CoreBuilder& sections() { return sections_ = true, *this; }
  /// Every note in a PT_NOTE of its own, the last one first, among and behind the PT_LOADs, and the bytes of the
  /// segments before all headers.
  CoreBuilder& scattered() { return scattered_ = true, *this; }

  std::vector<std::byte> build() const;

 private:
  struct Load {
    std::uint64_t flags, address, size;
    std::vector<std::byte> dumped;
  };
  struct Part {  // a program header and its bytes
    std::uint64_t type, flags, address, size;
    std::vector<std::byte> bytes;
    std::uint64_t offset = 0;
  };

  std::vector<Part> parts() const;
  void program_header(ByteWriter& out, const Part& part) const;

  std::size_t word_;
  unsigned machine_;
  std::vector<Load> loads_;
  std::vector<std::vector<std::byte>> notes_;
  bool extended_ = false, sections_ = false, scattered_ = false;
};

}  // namespace vmscan::tests
