#include "libvmscan/owners/runtimes/vm_structs.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <vector>

namespace vmscan {
namespace {

constexpr std::size_t most_entries = 1 << 13, longest_entry = 256;

/// One of the tables: where it begins, how long an entry is, and where its parts are within an entry.
class Table {
 public:
  Table(const ImageSymbols& exported, std::string_view table, std::string_view entry, std::size_t word)
      : exported_(exported), entry_(entry), word_(word) {
    begin_ = variable(fmt::format("gHotSpot{}", table), word).value_or(0);
    stride_ = variable(fmt::format("gHotSpot{}ArrayStride", entry), 8).value_or(0);
  }

  /// Where a part is within an entry; the offset of a table that cannot be read leads out of every entry.
  std::size_t part(std::string_view name) const {
    const std::uint64_t at = variable(fmt::format("gHotSpot{}{}Offset", entry_, name), 8).value_or(longest_entry);
    return static_cast<std::size_t>(std::min<std::uint64_t>(at, longest_entry));
  }

  /// Calls `take(entry)` for each entry, until it returns false.
  template <class Take>
  void for_each(Take take) const {
    if (begin_ == 0 || stride_ == 0 || stride_ > longest_entry) return;
    std::array<std::byte, longest_entry> buffer{};
    const std::span<std::byte> entry = std::span(buffer).first(static_cast<std::size_t>(stride_));
    for (std::size_t i = 0; i < most_entries; ++i)
      if (!exported_.bytes().read(begin_ + i * stride_, entry) || !take(std::span<const std::byte>(entry))) return;
  }

  std::uint64_t word_in(std::span<const std::byte> entry, std::size_t part) const {
    return load_little_endian(entry, part, word_);
  }
  std::optional<std::string> text_in(std::span<const std::byte> entry, std::size_t part) const {
    return exported_.bytes().text(word_in(entry, part));
  }

 private:
  std::optional<std::uint64_t> variable(const std::string& name, std::size_t size) const {
    const auto symbol = exported_.find(name);
    return symbol ? exported_.bytes().number(symbol->begin, size) : std::nullopt;
  }

  const ImageSymbols& exported_;
  std::string_view entry_;
  std::size_t word_;
  Address begin_ = 0;
  std::uint64_t stride_ = 0;
};

}  // namespace

std::optional<VmStructs> VmStructs::read(const ImageSymbols& exported, std::size_t word_bytes) {
  if (!exported.find("gHotSpotVMStructs")) return std::nullopt;
  VmStructs structs;
  const Table table(exported, "VMStructs", "VMStructEntry", word_bytes);
  const std::size_t type = table.part("TypeName"), field = table.part("FieldName"), is_static = table.part("IsStatic"),
                    offset = table.part("Offset"), address = table.part("Address");
  table.for_each([&](std::span<const std::byte> entry) {
    const auto type_name = table.text_in(entry, type), field_name = table.text_in(entry, field);
    if (!type_name || !field_name) return false;
    const bool fixed = load_little_endian(entry, is_static, 4) != 0;
    structs.fields_[*type_name + "::" + *field_name] = {
        fixed, fixed ? table.word_in(entry, address) : load_little_endian(entry, offset, 8)};
    return true;
  });
  const Table constants(exported, "VMIntConstants", "VMIntConstantEntry", word_bytes);
  const std::size_t name = constants.part("Name"), value = constants.part("Value");
  constants.for_each([&](std::span<const std::byte> entry) {
    const auto constant = constants.text_in(entry, name);
    if (constant) structs.constants_[*constant] = static_cast<std::int32_t>(load_little_endian(entry, value, 4));
    return constant.has_value();
  });
  return structs.fields_.empty() ? std::nullopt : std::optional(std::move(structs));
}

std::optional<Address> VmStructs::place(const std::string& field) const {
  const auto found = fields_.find(field);
  return found != fields_.end() && found->second.is_static ? std::optional(found->second.value) : std::nullopt;
}

std::optional<std::uint64_t> VmStructs::offset(const std::string& field) const {
  const auto found = fields_.find(field);
  return found != fields_.end() && !found->second.is_static ? std::optional(found->second.value) : std::nullopt;
}

std::optional<std::int32_t> VmStructs::constant(const std::string& name) const {
  const auto found = constants_.find(name);
  return found != constants_.end() ? std::optional(found->second) : std::nullopt;
}

}  // namespace vmscan
