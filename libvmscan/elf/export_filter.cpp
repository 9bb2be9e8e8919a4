#include "libvmscan/elf/export_filter.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "libvmscan/elf/elf_image.h"
#include "libvmscan/elf/elf_layout.h"

namespace vmscan {
namespace {

constexpr std::size_t most_dynamic_bytes = 2048, most_filter_bytes = 4096;
using Header = std::array<std::uint32_t, 4>;

template <class Word>
std::optional<std::uint64_t> gnu_hash_address(const ReadWhole& read, const ElfImage& image) {
  std::array<Word, most_dynamic_bytes / sizeof(Word)> entries;
  const std::uint64_t size = std::min<std::uint64_t>(image.dynamic->size(), most_dynamic_bytes);
  const auto words = std::span(entries).first(static_cast<std::size_t>(size / sizeof(Word) / 2 * 2));
  const auto offset = file_offset(image, image.dynamic->begin, words.size_bytes());
  if (!offset || !read(*offset, std::as_writable_bytes(words))) return std::nullopt;
  for (std::size_t i = 0; i < words.size() && words[i] != elf::dt_null; i += 2)
    if (words[i] == elf::dt_gnu_hash) return words[i + 1];
  return std::nullopt;
}

template <class Word>
ExportFilter read_filter(const ReadWhole& read, const ElfImage& image) {
  const auto table = gnu_hash_address<Word>(read, image);
  const auto at = table ? file_offset(image, *table, sizeof(Header)) : std::nullopt;
  Header header;
  if (!at || !read(*at, std::as_writable_bytes(std::span(header)))) return {};
  const auto [buckets, first, count, shift] = header;
  if (buckets == 0 || count == 0 || count > most_filter_bytes / sizeof(Word) || shift >= 32) return {};
  std::array<Word, most_filter_bytes / sizeof(Word)> filter;
  const auto words = std::span(filter).first(count);
  const auto begin = file_offset(image, *table + sizeof(Header), words.size_bytes());
  if (!begin || !read(*begin, std::as_writable_bytes(words))) return {};
  return {.words = {words.begin(), words.end()}, .shift = shift};
}

}  // namespace

std::uint32_t gnu_symbol_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

ExportFilter read_export_filter(const ReadWhole& read, const ElfImage& image) {
  if (!image.dynamic) return {};
  return image.pointer_bits == 32 ? read_filter<std::uint32_t>(read, image) : read_filter<std::uint64_t>(read, image);
}

bool may_export(const ElfImage& image, std::string_view name) {
  const ExportFilter& filter = image.exports;
  if (filter.words.empty()) return true;
  const std::uint32_t hash = gnu_symbol_hash(name), bits = image.pointer_bits;
  const std::uint64_t word = filter.words[hash / bits % filter.words.size()];
  return (word >> hash % bits & word >> (hash >> filter.shift) % bits & 1) != 0;
}

}  // namespace vmscan
