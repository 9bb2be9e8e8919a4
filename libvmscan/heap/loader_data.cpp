// Before there is a C library, ld.so gives memory from pages of its own (elf/dl-minimal-malloc.c): struct link_map of
// each library that is there from the start, the lists that belong to it, and the block with the first thread's static
// TLS and struct pthread. To these pages point ld.so's data, the link_maps {l_addr, l_name, l_ld, l_next, l_prev,
// l_real, …} (include/link.h; l_real is the object itself) and the first thread's dtv {…, {TLS block, to free}}
// (sysdeps/generic/dl-dtv.h). Of a mapping that holds a link_map, what a link_map points to, or the first thread, what
// lies between the first and the last of these is the loader's. Seen with glibc 2.36.
#include "libvmscan/heap/loader_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "libvmscan/model/image_loads.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_mapping_bytes = 1 << 20, most_data_bytes = 1 << 20;
// Of glibc 2.36; what is behind these lies on the same page or is not used.
constexpr std::uint64_t first_list_word = 6, link_map_words = 144, pthread_words = 224;
constexpr std::uint64_t most_objects = 1 << 14, most_modules = 1 << 14;

bool is_loader(const TargetMemory&, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-") || name.starts_with("ld64") || name.starts_with("ld.so");
}

class Finder {
 public:
  explicit Finder(const TargetMemory& memory)
      : memory_(memory), word_(memory.word_bytes()), lists_prove_(memory.image_ends_known()) {
    const Facts& facts = memory.facts();
    for (const ImageLoad& load : find_image_loads(facts.mappings, facts.images, facts.target.page_size))
      images_.push_back(load.span);
  }

  std::vector<Range> find() {
    for (const Range& data : memory_.image_data(is_loader)) note_words(data, Words::Data);
    if (objects_ == 0) return {};
    note_first_thread();
    std::vector<Range> found;
    for (const auto& [begin, used] : used_) {
      if (!proven_.contains(begin)) continue;  // ld.so also points to the stack, which a core has no name for
      const std::uint64_t page = memory_.page_bytes();
      found.push_back({used.begin / page * page, (used.end - 1) / page * page + page});
    }
    return found;
  }

 private:
  enum class Words : std::uint8_t { Data, Links, Lists };

  /// Notes each word of the range as a pointer. One of ld.so's data is followed when it leads to the first of the
  /// link_maps.
  void note_words(Range range, Words kind) {
    std::vector<std::byte> bytes;
    for (const Range& run : memory_.readable(range)) {
      bytes.resize(static_cast<std::size_t>(std::min(run.size(), most_data_bytes)));
      bytes.resize(memory_.read(run.begin, bytes));
      for (std::size_t i = 0; i + word_ <= bytes.size(); i += word_) {
        const Address address = memory_.word_at(bytes, i);
        note(address, word_, kind == Words::Lists && lists_prove_ && !of_image(address));
        if (kind == Words::Data && objects_ == 0) follow_link_maps(address);
      }
    }
  }

  /// l_map_end and its like lie in .bss, or behind its end.
  bool of_image(Address address) const {
    return std::ranges::any_of(images_, [&](Range each) { return each.begin <= address && address <= each.end; });
  }

  /// A small private mapping without a name. The end of an image may look like a pointer to what lies behind it.
  void note(Address address, std::uint64_t bytes, bool proof = false) {
    const Mapping* mapping = memory_.mapping_of(address);
    if (mapping == nullptr || mapping->inode != 0 || mapping->shared || !mapping->write || mapping->execute ||
        !mapping->path.empty() || mapping->range.size() > most_mapping_bytes || address == mapping->range.begin)
      return;
    if (proof) proven_.insert(mapping->range.begin);
    const Address end = std::min(mapping->range.end, Range::make(address, bytes).value_or(mapping->range).end);
    const auto [used, added] = used_.try_emplace(mapping->range.begin, Range{address, end});
    if (added) return;
    used->second.begin = std::min(used->second.begin, address);
    used->second.end = std::max(used->second.end, end);
  }

  std::optional<Address> member(Address object, std::size_t index) const {
    const auto at = Range::make(object, (index + 1) * word_);
    return at && object % word_ == 0 ? memory_.word(at->end - word_) : std::nullopt;
  }

  void follow_link_maps(Address first) {
    if (!memory_.writable(first) || member(first, 5) != first || member(first, 4) != Address{0}) return;
    const Address second = member(first, 3).value_or(0);
    if (!memory_.writable(second) || member(second, 4) != first) return;
    for (Address object = first, before = 0; objects_ < most_objects; ++objects_) {
      if (!memory_.writable(object) || member(object, 5) != object || member(object, 4) != before) return;
      note(object, link_map_words * word_, true);
      const Address lists = object + first_list_word * word_, end = object + link_map_words * word_;
      note_words({object, lists}, Words::Links);
      if (lists < end) note_words({lists, end}, Words::Lists);
      before = object;
      object = member(object, 3).value_or(0);
    }
  }

  /// Its struct pthread, which begins with {itself, dtv, itself} on x86, and its static TLS below that.
  void note_first_thread() {
    const auto& threads = memory_.facts().threads;
    const auto first = std::find_if(threads.begin(), threads.end(),
                                    [&](const Thread& each) { return each.id == memory_.facts().target.pid; });
    if (first == threads.end() || !first->control_block) return;
    const Address self = *first->control_block;
    note(self, pthread_words * word_, true);
    const Address dtv = member(self, 1).value_or(0);
    if (member(self, 0) != self || member(self, 2) != self || dtv < 2 * word_) return;
    const std::uint64_t modules = std::min(member(dtv - 2 * word_, 0).value_or(0), most_modules);
    note(dtv, (2 * modules + 2) * word_);
    for (std::uint64_t i = 1; i <= modules; ++i)
      if (const auto block = member(dtv, 2 * i); block && *block < self) note(*block, word_);
  }

  const TargetMemory& memory_;
  std::size_t word_;
  bool lists_prove_;  // an end of an image can be told from a list of a link_map
  std::vector<Range> images_;
  std::size_t objects_ = 0;
  std::map<Address, Range> used_;  // of each mapping, by where it begins
  std::set<Address> proven_;       // those of them where something of the loader's is known to lie
};

}  // namespace

std::vector<Range> find_loader_data(const TargetMemory& memory) { return Finder(memory).find(); }

}  // namespace vmscan
