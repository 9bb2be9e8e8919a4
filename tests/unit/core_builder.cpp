#include "tests/unit/core_builder.h"

#include <algorithm>

namespace vmscan::tests {

ByteWriter& ByteWriter::number(std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
  return *this;
}

ByteWriter& ByteWriter::text(const std::string& value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i)
    bytes.push_back(i < value.size() ? static_cast<std::byte>(value[i]) : std::byte{0});
  return *this;
}

ByteWriter& ByteWriter::append(const std::vector<std::byte>& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
  return *this;
}

CoreBuilder& CoreBuilder::load(std::uint64_t flags, std::uint64_t address, std::uint64_t size,
                               std::vector<std::byte> dumped) {
  loads_.push_back({flags, address, size, std::move(dumped)});
  return *this;
}

CoreBuilder& CoreBuilder::note(std::uint32_t type, const std::vector<std::byte>& descriptor, const std::string& owner) {
  const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
  ByteWriter note;
  note.number(owner.size() + 1, 4).number(descriptor.size(), 4).number(type, 4).text(owner, padded(owner.size() + 1));
  note.append(descriptor).text("", padded(descriptor.size()) - descriptor.size());
  notes_.push_back(note.bytes);
  return *this;
}

CoreBuilder& CoreBuilder::files(const std::vector<BuiltFile>& files) {
  ByteWriter out;
  out.number(files.size(), word_).number(4096, word_);
  for (const BuiltFile& file : files) out.number(file.begin, word_).number(file.end, word_).number(file.page, word_);
  for (const BuiltFile& file : files) out.text(file.path, file.path.size() + 1);
  return note(0x46494c45, out.bytes);
}

CoreBuilder& CoreBuilder::thread(std::uint32_t id, std::uint64_t stack_pointer, std::size_t index) {
  ByteWriter out;  // siginfo 12, cursig 2 + 2, sigpend, sighold, then pid, ppid, pgrp, sid, four times of two words
  out.text("", 16 + 2 * word_).number(id, 4).text("", 12 + 8 * word_);
  out.text("", index * word_).number(stack_pointer, word_).text("", 64);
  return note(1, out.bytes);
}

CoreBuilder& CoreBuilder::process(std::uint32_t pid, const std::string& name, const std::string& command_line) {
  const bool wide = word_ == 8;
  ByteWriter out;  // state, sname, zomb, nice; flags; uid, gid (16 bits wide on i386); pid, ppid, pgrp, sid
  out.text("", 4).text("", wide ? 12 : 4).number(1000, wide ? 4 : 2).number(1000, wide ? 4 : 2);
  out.number(pid, 4).number(1, 4).number(pid, 4).number(pid, 4).text(name, 16).text(command_line, 80);
  return note(3, out.bytes);
}

CoreBuilder& CoreBuilder::auxiliary(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& entries) {
  ByteWriter out;
  for (const auto& [type, value] : entries) out.number(type, word_).number(value, word_);
  out.number(0, word_).number(0, word_);
  return note(6, out.bytes);
}

CoreBuilder& CoreBuilder::signal(std::uint32_t number, std::int32_t code, std::uint64_t address) {
  ByteWriter out;
  out.number(number, 4).number(0, 4).number(static_cast<std::uint32_t>(code), 4);
  out.text("", word_ == 8 ? 4 : 0).number(address, word_).text("", 64);
  return note(0x53494749, out.bytes);
}

std::vector<CoreBuilder::Part> CoreBuilder::parts() const {
  std::vector<Part> parts;
  for (const Load& load : loads_) parts.push_back({1, load.flags, load.address, load.size, load.dumped});
  if (!scattered_) {
    Part all{4, 4, 0, 0, {}};
    for (const auto& note : notes_) all.bytes.insert(all.bytes.end(), note.begin(), note.end());
    parts.insert(parts.begin(), all);
    return parts;
  }
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const auto at = static_cast<std::ptrdiff_t>(std::min(2 * i, parts.size()));
    parts.insert(parts.begin() + at, Part{4, 4, 0, 0, notes_[notes_.size() - 1 - i]});
  }
  return parts;
}

void CoreBuilder::program_header(ByteWriter& out, const Part& part) const {
  out.number(part.type, 4);
  if (word_ == 8) out.number(part.flags, 4);
  out.number(part.offset, word_).number(part.address, word_).number(0, word_);
  out.number(part.bytes.size(), word_).number(part.size, word_);
  if (word_ == 4) out.number(part.flags, 4);
  out.number(4096, word_);
}

std::vector<std::byte> CoreBuilder::build() const {
  std::vector<Part> all = parts();
  const std::size_t header = word_ == 8 ? 64 : 52, entry = word_ == 8 ? 56 : 32, section = word_ == 8 ? 64 : 40;
  const std::size_t sections = sections_ ? all.size() + 1 : extended_ ? 1 : 0;
  std::uint64_t content = 0;
  for (const Part& part : all) content += part.bytes.size();
  const std::uint64_t headers_at = scattered_ ? header + content : header;
  const std::uint64_t sections_at = headers_at + all.size() * entry;
  std::uint64_t at = scattered_ ? header : sections_at + sections * section;
  for (Part& part : all) part.offset = std::exchange(at, at + part.bytes.size());

  ByteWriter head, table, names, data;
  head.text(word_ == 8 ? "\x7f"
                         "ELF\x02\x01\x01"
                       : "\x7f"
                         "ELF\x01\x01\x01",
            16);
  head.number(4, 2).number(machine_, 2).number(1, 4).number(0, word_).number(headers_at, word_);
  head.number(sections > 0 ? sections_at : 0, word_).number(0, 4).number(header, 2).number(entry, 2);
  head.number(extended_ ? 0xffff : all.size(), 2).number(section, 2).number(sections, 2).number(0, 2);
  for (const Part& part : all) program_header(table, part);
  for (std::size_t i = 0; i < sections; ++i) {  // sh_info of the first is the count
    ByteWriter one;
    one.text("", 8 + 4 * word_ + 4).number(i == 0 && extended_ ? all.size() : 0, 4).text("", 2 * word_);
    names.append(one.bytes);
  }
  for (const Part& part : all) data.append(part.bytes);
  if (scattered_) return head.append(data.bytes).append(table.bytes).append(names.bytes).bytes;
  return head.append(table.bytes).append(names.bytes).append(data.bytes).bytes;
}

}  // namespace vmscan::tests
