// Exported symbols of images that are loaded in a target, stripped files included: the tables that the dynamic linker
// uses are part of what is loaded. Layout: System V ABI, elf(5); the GNU hash table as binutils writes it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/memory/target_memory.h"
#include "libvmscan/model/image_loads.h"

namespace vmscan {

/// One load of one ELF file, as find_image_loads() sees it. Valid as long as the facts.
struct LoadedImage {
  const Mapping* mapping = nullptr;  // one of the file, for its path
  const ElfImage* image = nullptr;
  Address bias = 0;  // added to the addresses in the file, modulo 2^64
  Range span;
};

std::vector<LoadedImage> loaded_images(const TargetMemory& memory);

/// The bytes of a loaded image: what is in RAM from memory and the rest from the file, so that nothing is pulled in.
class ImageBytes {
 public:
  ImageBytes(const TargetMemory& memory, const LoadedImage& loaded) : memory_(memory), loaded_(loaded) {}

  const LoadedImage& loaded() const { return loaded_; }
  /// All of `out`, from memory or from the file, or nothing. Words that were relocated are so only in memory.
  bool read(Address address, std::span<std::byte> out) const;
  /// All of `out` as the file has it, before anything was relocated or written, or nothing.
  bool read_file(Address address, std::span<std::byte> out) const;
  /// A number of `size` (4 or 8) bytes.
  std::optional<std::uint64_t> number(Address address, std::size_t size) const;
  /// The text at `address` up to its 0 byte, if it has at most 255 bytes.
  std::optional<std::string> text(Address address) const;

 private:
  const TargetMemory& memory_;
  LoadedImage loaded_;
  mutable bool file_asked_ = false;
  mutable std::optional<FileBytes> file_;
};

/// Bounded whatever the tables say. For one thread at a time: the tables are looked for when they are first needed.
class ImageSymbols {
 public:
  ImageSymbols(const TargetMemory& memory, const LoadedImage& loaded);

  const ImageBytes& bytes() const { return bytes_; }
  /// Where the symbol is in the target, with the size that the table gives it (0: none given). Nothing when the image
  /// does not define it, for a thread's own variable, and for an address outside of the image. Of several versions of a
  /// symbol, one.
  std::optional<Range> find(std::string_view name) const;

 private:
  void read_dynamic() const;
  std::optional<Address> relocated(std::uint64_t address) const;
  std::optional<Range> find_gnu(std::string_view name) const;
  std::optional<Range> find_sysv(std::string_view name) const;
  std::optional<Range> symbol_called(std::string_view name, std::uint64_t index) const;
  bool has_name(std::string_view name, std::uint32_t at) const;

  ImageBytes bytes_;
  std::size_t word_;
  mutable bool dynamic_read_ = false;  // for all that follows
  mutable std::optional<Address> symbols_, names_, hash_, gnu_hash_;
  mutable std::array<std::byte, 16> gnu_header_{};
  mutable std::uint64_t names_bytes_ = 0;
};

}  // namespace vmscan
