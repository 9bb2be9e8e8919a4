#include "libvmscan/memory/image_symbols.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "libvmscan/elf/elf_image.h"
#include "libvmscan/elf/elf_layout.h"
#include "libvmscan/elf/export_filter.h"

namespace vmscan {
namespace {

constexpr std::size_t most_dynamic_bytes = 1 << 14;
constexpr std::size_t most_chained = 1 << 12;  // symbols in one bucket
constexpr std::size_t longest_name = 4096;

std::uint32_t sysv_hash_of(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    hash = (hash ^ (hash & 0xf0000000) >> 24) & 0x0fffffff;
  }
  return hash;
}

}  // namespace

std::vector<LoadedImage> loaded_images(const TargetMemory& memory) {
  const Facts& facts = memory.facts();
  std::vector<LoadedImage> images;
  for (const ImageLoad& load : memory.image_loads())
    images.push_back({&facts.mappings[load.members.front()], load.image, load.bias, load.span});
  return images;
}

bool ImageBytes::read(Address address, std::span<std::byte> out) const {
  const auto at = Range::make(address, out.size());
  if (!at || !loaded_.span.contains(*at)) return false;
  const std::vector<Range> in_ram = memory_.readable(*at);
  if (in_ram.size() == 1 && in_ram.front() == *at && memory_.read(address, out) == out.size()) return true;
  return read_file(address, out);
}

bool ImageBytes::read_file(Address address, std::span<std::byte> out) const {
  if (!std::exchange(file_asked_, true)) file_ = memory_.mapped_file(*loaded_.mapping);
  const auto offset = file_ ? file_offset(*loaded_.image, address - loaded_.bias, out.size()) : std::nullopt;
  return offset && file_->read_whole(*offset, out);
}

std::optional<std::uint64_t> ImageBytes::number(Address address, std::size_t size) const {
  std::array<std::byte, 8> bytes;
  const std::span<std::byte> out = std::span(bytes).first(size);
  return read(address, out) ? std::optional(load_little_endian(out, 0, size)) : std::nullopt;
}

std::optional<std::string> ImageBytes::text(Address address) const {
  std::array<char, 256> bytes;
  if (!loaded_.span.contains(address)) return std::nullopt;
  std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), loaded_.span.end - address));
  for (; size > 0; size /= 2) {
    const std::span<char> out = std::span(bytes).first(size);
    if (!read(address, std::as_writable_bytes(out))) continue;  // it may end before a hole
    const auto end = std::find(out.begin(), out.end(), '\0');
    return end != out.end() ? std::optional(std::string(out.begin(), end)) : std::nullopt;
  }
  return std::nullopt;
}

ImageSymbols::ImageSymbols(const TargetMemory& memory, const LoadedImage& loaded)
    : bytes_(memory, loaded), word_(loaded.image->pointer_bits == 32U ? 4 : 8) {}

/// An address of the dynamic section: glibc relocates the section in place, musl does not.
std::optional<Address> ImageSymbols::relocated(std::uint64_t address) const {
  const LoadedImage& loaded = bytes_.loaded();
  if (loaded.span.contains(address)) return address;
  if (loaded.span.contains(loaded.bias + address)) return loaded.bias + address;
  return std::nullopt;
}

void ImageSymbols::read_dynamic() const {
  const LoadedImage& loaded = bytes_.loaded();
  if (!loaded.image->dynamic) return;
  const Range section = *loaded.image->dynamic;
  const std::size_t entry = 2 * word_;
  std::vector<std::byte> bytes(std::min<std::uint64_t>(section.size(), most_dynamic_bytes) / entry * entry);
  if (!bytes_.read(loaded.bias + section.begin, bytes)) return;
  for (std::size_t at = 0; at < bytes.size(); at += entry) {
    const std::uint64_t tag = load_little_endian(bytes, at, word_),
                        value = load_little_endian(bytes, at + word_, word_);
    if (tag == elf::dt_null) break;
    if (tag == elf::dt_symtab) symbols_ = relocated(value);
    if (tag == elf::dt_strtab) names_ = relocated(value);
    if (tag == elf::dt_strsz) names_bytes_ = value;
    if (tag == elf::dt_hash) hash_ = relocated(value);
    if (tag == elf::dt_gnu_hash) gnu_hash_ = relocated(value);
  }
  if (gnu_hash_ && !bytes_.read(*gnu_hash_, gnu_header_)) gnu_hash_.reset();
}

std::optional<Range> ImageSymbols::find(std::string_view name) const {
  if (name.empty() || name.size() > longest_name || !may_export(*bytes_.loaded().image, name)) return std::nullopt;
  if (!std::exchange(dynamic_read_, true)) read_dynamic();
  if (!symbols_ || !names_) return std::nullopt;
  return gnu_hash_ ? find_gnu(name) : find_sysv(name);
}

/// Header: buckets, first symbol with a hash, words and shift of a Bloom filter; then the filter, the buckets with the
/// first symbol of each chain, and the hashes of the symbols, with bit 0 set where a chain ends.
std::optional<Range> ImageSymbols::find_gnu(std::string_view name) const {
  const auto part = [&](std::size_t index) { return load_little_endian(gnu_header_, 4 * index, 4); };
  const std::uint64_t buckets = part(0), first = part(1), filter = part(2), shift = part(3), bits = 8 * word_;
  if (buckets == 0 || filter == 0 || shift >= 32) return std::nullopt;
  const std::uint32_t hash = gnu_symbol_hash(name);
  const auto passed = bytes_.number(*gnu_hash_ + 16 + hash / bits % filter * word_, word_);
  if (!passed || (*passed >> hash % bits & *passed >> (hash >> shift) % bits & 1) == 0) return std::nullopt;
  const Address table = *gnu_hash_ + 16 + filter * word_, hashes = table + buckets * 4;
  const auto begin = bytes_.number(table + hash % buckets * 4, 4);
  if (!begin || *begin < first) return std::nullopt;
  for (std::uint64_t index = *begin; index < *begin + most_chained; ++index) {
    const auto other = bytes_.number(hashes + (index - first) * 4, 4);
    if (!other) return std::nullopt;
    if ((*other | 1) == (hash | 1))
      if (const auto symbol = symbol_called(name, index)) return symbol;
    if (*other & 1) break;
  }
  return std::nullopt;
}

/// Header: buckets, symbols; then the buckets with the first symbol of each chain, and the next symbol of each symbol.
std::optional<Range> ImageSymbols::find_sysv(std::string_view name) const {
  if (!hash_) return std::nullopt;
  const auto buckets = bytes_.number(*hash_, 4), symbols = bytes_.number(*hash_ + 4, 4);
  if (!buckets || !symbols || *buckets == 0) return std::nullopt;
  const Address table = *hash_ + 8, chains = table + *buckets * 4;
  auto index = bytes_.number(table + sysv_hash_of(name) % *buckets * 4, 4);
  for (std::size_t step = 0; index && *index != 0 && *index < *symbols && step < most_chained; ++step) {
    if (const auto symbol = symbol_called(name, *index)) return symbol;
    index = bytes_.number(chains + *index * 4, 4);
  }
  return std::nullopt;
}

std::optional<Range> ImageSymbols::symbol_called(std::string_view name, std::uint64_t index) const {
  const bool narrow = word_ == 4;
  const std::size_t bytes = narrow ? sizeof(elf::Symbol32) : sizeof(elf::Symbol64);
  std::array<std::byte, sizeof(elf::Symbol64)> buffer{};
  if (!bytes_.read(*symbols_ + index * bytes, std::span(buffer).first(bytes))) return std::nullopt;
  const auto info = std::to_integer<std::uint8_t>(buffer[narrow ? 12 : 4]);
  const auto section = static_cast<std::uint16_t>(load_little_endian(buffer, narrow ? 12 : 4, 4) >> 16);
  const std::uint64_t value = load_little_endian(buffer, narrow ? 4 : 8, word_);
  const std::uint64_t size = load_little_endian(buffer, narrow ? 8 : 16, word_);
  if (section == elf::shn_undef || section >= elf::shn_loreserve || (info & 0xf) == elf::stt_tls) return std::nullopt;
  if (!has_name(name, static_cast<std::uint32_t>(load_little_endian(buffer, 0, 4)))) return std::nullopt;
  const LoadedImage& loaded = bytes_.loaded();
  const auto found = Range::make(loaded.bias + value, size);
  return found && loaded.span.contains(found->begin) && found->end <= loaded.span.end ? found : std::nullopt;
}

bool ImageSymbols::has_name(std::string_view name, std::uint32_t at) const {
  if (at >= names_bytes_ || name.size() >= names_bytes_ - at) return false;
  std::vector<std::byte> bytes(name.size() + 1);
  if (!bytes_.read(*names_ + at, bytes) || bytes.back() != std::byte{0}) return false;
  return std::equal(name.begin(), name.end(), bytes.begin(),
                    [](char a, std::byte b) { return static_cast<unsigned char>(a) == std::to_integer<unsigned>(b); });
}

}  // namespace vmscan
