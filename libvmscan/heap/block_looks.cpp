#include "libvmscan/heap/block_looks.h"

#include <algorithm>
#include <array>

namespace vmscan {
namespace {

constexpr std::size_t looked_at = 256;  // bytes at the beginning of a block
constexpr std::size_t least_text = 4, longest_shown = 60;

bool is_text(unsigned char c) { return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r' || c >= 0x80; }

class Looker {
 public:
  Looker(const TargetMemory& memory, bool contents) : memory_(memory), objects_(memory), contents_(contents) {}

  void look(HeapBlock& block) {
    const std::size_t wanted = std::min<std::uint64_t>(looked_at, block.size - std::min(block.size, header()));
    const auto bytes = std::span(buffer_).first(read(block.address, wanted));
    if (bytes.size() < memory_.word_bytes()) return;
    if (const std::string* name = class_of(memory_.word_at(bytes, 0))) {
      block.look = BlockLook::Object;
      block.text = *name;
    } else if (std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; })) {
      block.look = BlockLook::Zeros;
    } else if (const std::size_t length = text_length(bytes); length >= least_text) {
      block.look = BlockLook::Text;
      if (contents_) block.text.assign(reinterpret_cast<const char*>(bytes.data()), std::min(length, longest_shown));
    } else {
      block.look = mostly_pointers(bytes) ? BlockLook::Pointers : BlockLook::Data;
    }
  }

 private:
  std::uint64_t header() const { return memory_.word_bytes(); }

  /// What can be read without bringing a page into RAM.
  std::size_t read(Address address, std::size_t size) {
    const auto range = Range::make(address, size);
    if (!range || size == 0) return 0;
    const std::vector<Range> parts = memory_.readable(*range);
    if (parts.empty() || parts.front().begin != address) return 0;
    return memory_.read(address, std::span(buffer_).first(parts.front().size()));
  }

  const std::string* class_of(Address table) {
    const auto [known, fresh] = names_.try_emplace(table);
    if (fresh)
      if (auto found = objects_.class_at(table)) known->second = std::move(found->name);
    if (names_.size() > most_names) names_.clear();  // a hostile target: every block has another first word
    const auto again = names_.find(table);
    return again == names_.end() || again->second.empty() ? nullptr : &again->second;
  }

  /// Of the text at the beginning, up to a zero or the end of what was read; 0 when other bytes come before that.
  static std::size_t text_length(std::span<const std::byte> bytes) {
    const auto end = std::find(bytes.begin(), bytes.end(), std::byte{0});
    const bool text =
        std::all_of(bytes.begin(), end, [](std::byte b) { return is_text(std::to_integer<unsigned char>(b)); });
    return text ? static_cast<std::size_t>(end - bytes.begin()) : 0;
  }

  /// Whether at least half of the words that are not 0 point into memory.
  bool mostly_pointers(std::span<const std::byte> bytes) const {
    std::size_t words = 0, pointers = 0;
    for (std::size_t at = 0; at + memory_.word_bytes() <= bytes.size(); at += memory_.word_bytes()) {
      const Address value = memory_.word_at(bytes, at);
      words += value != 0;
      pointers += value != 0 && memory_.mapping_of(value) != nullptr;
    }
    return pointers > 0 && 2 * pointers >= words;
  }

  static constexpr std::size_t most_names = 1 << 16;

  const TargetMemory& memory_;
  ObjectCounts objects_;
  bool contents_;
  std::array<std::byte, looked_at> buffer_{};
  std::unordered_map<Address, std::string> names_;  // by virtual table; empty: it is none
};

}  // namespace

void look_at_blocks(const TargetMemory& memory, bool contents, HeapReport& report) {
  if (report.blocks.empty()) return;
  Looker looker(memory, contents);
  for (HeapBlock& block : report.blocks) looker.look(block);
}

}  // namespace vmscan
