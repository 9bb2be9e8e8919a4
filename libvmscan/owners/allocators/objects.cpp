#include "libvmscan/owners/allocators/objects.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

namespace vmscan {
namespace {

constexpr std::size_t longest_name = 1000;  // bytes of a mangled name; the demangler is recursive

/// "shop::Session" of "N4shop7SessionE"; nothing for what is no name of a type.
std::optional<std::string> demangled(const std::string& name) {
  int status = -1;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  if (status != 0 || text == nullptr) return std::nullopt;
  return std::string(text.get());
}

bool names_a_class(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  const bool begins = !name.empty() && ((name[0] >= '1' && name[0] <= '9') || name[0] == 'N' || name[0] == 'S' ||
                                        name[0] == 'Z');  // others are types without virtual functions
  return begins && std::all_of(name.begin(), name.end(), plain);
}

}  // namespace

ObjectCounts::ObjectCounts(const TargetMemory& memory) : memory_(&memory) {
  for (const Mapping& mapping : memory.facts().mappings) {
    if (mapping.inode == 0 || !mapping.read || !memory.facts().images.contains(key_of(mapping))) continue;
    const auto parts = memory.readable(mapping.range);
    places_.insert(places_.end(), parts.begin(), parts.end());
  }
  std::sort(places_.begin(), places_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
}

void ObjectCounts::count(Address table, std::uint64_t size) {
  const auto known = counts_.find(table);
  if (known != counts_.end())
    known->second.add(size);
  else if (counts_.size() < most_tables)
    counts_[table].add(size);
}

ObjectCounts& ObjectCounts::operator+=(const ObjectCounts& other) {
  for (const auto& [table, sum] : other.counts_)
    if (counts_.size() < most_tables || counts_.contains(table)) counts_[table] += sum;
  return *this;
}

std::optional<std::uint64_t> ObjectCounts::word_in_image(Address address) const {
  return may_be_table(address) ? memory_->word(address) : std::nullopt;
}

/// The file behind a mapping, opened once.
const std::optional<FileBytes>& ObjectCounts::file_of(const Mapping& mapping) const {
  const auto [file, fresh] = files_.try_emplace(key_of(mapping));
  if (fresh) file->second = memory_->mapped_file(mapping);
  return file->second;
}

/// A text of an image up to its 0 byte: from memory, or where its page is not in RAM, which is usual for names, from
/// the file. Empty where neither has it.
std::string ObjectCounts::name_at(Address address) const {
  const Mapping* mapping = memory_->mapping_of(address);
  if (mapping == nullptr || mapping->inode == 0 || mapping->write) return {};
  std::string text(std::min<std::uint64_t>(mapping->range.end - address, longest_name), '\0');
  const auto parts = memory_->readable({address, address + text.size()});
  std::size_t known = 0;
  if (!parts.empty() && parts.front().begin == address) {
    const std::size_t there = static_cast<std::size_t>(parts.front().size());
    known = memory_->read(address, std::as_writable_bytes(std::span(text).first(there)));
  }
  if (text.find('\0') >= known)
    if (const auto& file = file_of(*mapping))
      known = file->read(mapping->offset + (address - mapping->range.begin), std::as_writable_bytes(std::span(text)));
  text.resize(known);
  const std::size_t end = text.find('\0');
  if (end == std::string::npos) return {};
  text.resize(end);
  return text;
}

std::optional<ObjectCounts::Class> ObjectCounts::class_at(Address table) const {
  const std::size_t word = memory_->word_bytes();
  if (table < 2 * word || !may_be_table(table)) return std::nullopt;
  const auto offset_to_top = word_in_image(table - 2 * word), type_info = word_in_image(table - word);
  if (offset_to_top != 0U || !type_info || !word_in_image(*type_info)) return std::nullopt;
  const auto name = Range::make(*type_info, word) ? word_in_image(*type_info + word) : std::nullopt;
  if (!name) return std::nullopt;
  std::string mangled = name_at(*name);
  if (mangled.starts_with('*')) mangled.erase(0, 1);  // a class that only one file knows (GCC)
  if (!names_a_class(mangled)) return std::nullopt;
  auto readable = demangled(mangled);
  const Mapping* image = memory_->mapping_of(table);
  if (!readable || image == nullptr) return std::nullopt;
  return Class{.name = std::move(*readable), .image = image->path};
}

std::vector<ObjectTotals> ObjectCounts::totals() const {
  std::vector<ObjectTotals> found, totals;
  for (const auto& [table, sum] : counts_)
    if (auto type = class_at(table))
      found.push_back({.name = std::move(type->name), .image = std::move(type->image), .live = sum});
  add_types(totals, std::move(found));
  return totals;
}

void add_types(std::vector<ObjectTotals>& types, std::vector<ObjectTotals> more) {
  std::map<std::pair<std::string, std::string>, BlockSum> sums;
  for (auto* each : {&types, &more})
    for (ObjectTotals& type : *each) sums[{std::move(type.name), std::move(type.image)}] += type.live;
  types.clear();
  for (const auto& [key, sum] : sums) types.push_back({.name = key.first, .image = key.second, .live = sum});
  std::stable_sort(types.begin(), types.end(),
                   [](const ObjectTotals& a, const ObjectTotals& b) { return a.live.bytes > b.live.bytes; });
}

}  // namespace vmscan
