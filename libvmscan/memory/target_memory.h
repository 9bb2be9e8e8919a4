// The memory of a target as its own words: typed reads over a MemoryReader, and which parts may be read without
// changing the target.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <vector>

#include "libvmscan/memory/memory_reader.h"
#include "libvmscan/model/image_loads.h"

namespace vmscan {

/// The number in `size` bytes (4 or 8) at `offset`; 0 when they are not all there.
inline std::uint64_t load_little_endian(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  if (offset > bytes.size() || size > bytes.size() - offset) return 0;
  if constexpr (std::endian::native == std::endian::little) {
    if (size == 8)
      std::memcpy(&value, bytes.data() + offset, 8);
    else
      std::memcpy(&value, bytes.data() + offset, 4);
    return value;
  }
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[offset + i])} << (8 * i);
  return value;
}

/// A view for programs that look for structures. Little-endian targets only. `facts` and `reader` must outlive it, and
/// the mappings and pages of `facts` must not change meanwhile.
class TargetMemory {
 public:
  TargetMemory(const Facts& facts, const MemoryReader& reader);

  const Facts& facts() const { return facts_; }
  std::uint64_t page_bytes() const { return facts_.target.page_size; }
  /// 4 or 8.
  std::size_t word_bytes() const { return word_bytes_; }

  /// Reads from `address` on up to the first hole, or the first page that was not in RAM when the pages were looked at:
  /// reading one would make the target grow. What is swapped out is read where Facts::all_pages asks for it. Returns
  /// how many bytes that were. Nothing is read after the reader refused once (see refusal()), or when all has been read
  /// many times (see exhausted()). May be called by several threads.
  std::size_t read(Address address, std::span<std::byte> buffer) const;
  /// The same, up to the first hole or page that was swapped out: for what the target must have touched, though perhaps
  /// after that look.
  std::size_t read_touched_since(Address address, std::span<std::byte> buffer) const;
  /// The same as read() where nobody will look again: it is not kept.
  std::size_t read_once(Address address, std::span<std::byte> buffer) const;
  std::optional<std::uint64_t> word(Address address) const;
  /// A word of the target within bytes that were read; 0 beyond their end.
  std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t offset) const {
    return load_little_endian(bytes, offset, word_bytes_);
  }
  std::uint32_t half_at(std::span<const std::byte> bytes, std::size_t offset) const {
    return static_cast<std::uint32_t>(load_little_endian(bytes, offset, 4));
  }

  /// All mappings that are not empty, by address.
  auto mappings() const {
    return std::views::transform(mappings_, [](const Mapping* mapping) -> const Mapping& { return *mapping; });
  }
  /// The mapping with the address; null when there is none.
  const Mapping* mapping_of(Address address) const;
  /// Whether a structure that the program changes may be there: readable, writable, and of a file only where the
  /// program has touched it.
  bool writable(Address address) const;
  /// Whether all of `range` is mapped, by one mapping or by several that touch.
  bool mapped(Range range) const;
  /// Whether any of it is.
  bool any_mapped(Range range) const;
  /// The parts of `range` that can be read without changing the target: pages in RAM where the pages are known, what a
  /// file holds bytes of, otherwise what is mapped readable. What is swapped out is among them where Facts::all_pages
  /// asks for it.
  std::vector<Range> readable(Range range) const;
  /// Whether any page of `range` is left out because it was swapped out.
  bool swapped_out(Range range) const { return !facts_.all_pages && facts_.pages.any_swapped(range); }
  /// Whether anything that was asked for so far was left out because it was swapped out.
  bool left_out_swapped() const { return left_out_swapped_; }
  /// The file behind the mapping: see MemoryReader.
  std::optional<FileBytes> mapped_file(const Mapping& mapping) const { return reader_.mapped_file(mapping); }
  /// All loads of image files.
  const std::vector<ImageLoad>& image_loads() const;
  /// Writable data of the image files whose path `is` picks: their private mappings, with the .bss behind them.
  std::vector<Range> image_data(bool (*is)(const TargetMemory&, std::string_view path)) const;
  /// The parts of all that which the files hold no bytes of, so that they begin as zeros. Where no load tells it is
  /// all, of a live process what lies behind the file.
  std::vector<Range> image_bss() const;
  /// Whether the images themselves tell where each .bss ends, so that image_data() does not depend on Facts::runtimes.
  bool image_ends_known() const;

  /// Why the memory may not be read, once a read was refused.
  std::optional<Error> refusal() const;
  /// Whether nothing is read any more because more was read than any structure that is in order takes: what leads to
  /// the same bytes again and again would keep this program busy for ever.
  bool exhausted() const { return spent_ > budget_; }
  /// Tells so, once for all that were looked for.
  void add_note_when_exhausted(std::vector<Note>& notes) const;

 private:
  struct ImageData {
    const Mapping& of;
    Range bss;                        // whole pages without a file; may be empty
    const ImageLoad* load = nullptr;  // null: .bss may end with what the kernel joined with it
  };
  Range all_of(const ImageData& data) const;
  std::size_t index_after(Address address) const;
  std::uint64_t touched_from(Address address, std::uint64_t most) const;
  enum class Keep : bool { No, Yes };
  std::size_t read_as_asked(Address address, std::span<std::byte> buffer, Keep keep = Keep::Yes) const;
  void find_held();
  bool images_known() const;
  /// Whether the mapping may be an image's.
  bool of_image(const Mapping& mapping) const;
  void find_images() const;

  const Facts& facts_;
  const MemoryReader& reader_;
  std::size_t word_bytes_;
  std::vector<const Mapping*> mappings_;    // by address
  std::vector<Range> mapped_;               // mappings that touch, as one
  std::optional<std::vector<Range>> held_;  // what a file holds bytes of, by address; nothing: this is no file
  std::uint64_t budget_;                    // what reading may cost
  mutable std::once_flag images_sought_;    // for the two next
  mutable std::vector<ImageLoad> loads_;
  mutable std::vector<ImageData> image_data_;
  mutable std::atomic<std::uint64_t> spent_ = 0;
  mutable std::atomic<bool> refused_ = false, left_out_swapped_ = false;
  mutable std::mutex lock_;  // of the next
  mutable std::optional<Error> refusal_;
};

/// The part of a path behind its last slash.
std::string_view file_name(std::string_view path);

}  // namespace vmscan
