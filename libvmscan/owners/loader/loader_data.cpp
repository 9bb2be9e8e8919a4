// Before there is a C library, ld.so gives memory from pages of its own (elf/dl-minimal-malloc.c): struct link_map of
// each library that is there from the start, the lists that belong to it, and the block with the first thread's static
// TLS and struct pthread. What is loaded later has its link_map from malloc, whoever's that is, and so have lists that
// have grown: only those from the start are proof. ld.so keeps them as _dl_initial_searchlist {array of link_maps,
// number} in its RELRO data; link_maps are {l_addr, l_name, l_ld, l_next, l_prev, l_real, …} (include/link.h; l_real is
// the object itself). The first thread's dtv {…, {TLS block, to free}} (sysdeps/generic/dl-dtv.h) stands in ld.so's
// data, too; static TLS is never freed. Tables of unique symbols (elf/dl-lookup.c: {hash, name, symbol, link_map}) lie
// in such pages before malloc's take their place. The pages that these lie in are the loader's. Others that they or
// ld.so's data point to are so only where that explains all of a stretch. Seen with glibc 2.36.
#include "libvmscan/owners/loader/loader_data.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <ranges>
#include <set>

#include "libvmscan/memory/page_cache.h"
#include "libvmscan/model/image_loads.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_data_bytes = 1 << 20, most_stretch_bytes = 1 << 20, most_static_tls = 16 << 20;
// Of glibc 2.36; what is behind these lies on the same page or is not used.
constexpr std::uint64_t link_map_words = 144, pthread_words = 224;
constexpr std::size_t most_objects = 1 << 14;
constexpr std::size_t enough_unique_symbols = 4;
using UniqueSymbol = std::array<std::uint64_t, 4>;  // words
constexpr std::uint64_t most_modules = 1 << 14;

bool is_loader(const TargetMemory&, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-") || name.starts_with("ld64") || name.starts_with("ld.so");
}

class Finder {
 public:
  explicit Finder(const TargetMemory& memory)
      : memory_(memory), cache_(memory), word_(memory.word_bytes()), ends_known_(memory.image_ends_known()) {
    const Facts& facts = memory.facts();
    for (const ImageLoad& load : find_image_loads(facts.mappings, facts.images, facts.target.page_size))
      images_.push_back(load.span);
    images_ = joined(std::move(images_));
  }

  std::vector<Range> find() {
    read_data();
    follow_link_maps();
    if (objects_.empty() || !prove_first_objects()) return {};
    prove_first_thread();
    prove_unique_symbols();
    std::vector<Range> found;
    for (const auto& [begin, mapping] : touched_)
      for (const Range& stretch : stretches_of(*mapping)) add(stretch, found);
    return joined(std::move(found));
  }

 private:
  struct Word {
    Address place = 0;
    std::uint64_t value = 0;
  };

  /// ld.so's data, with what was made read-only before it.
  void read_data() {
    for (Range data : memory_.image_data(is_loader)) {
      const Mapping* before = data.begin == 0 ? nullptr : memory_.mapping_of(data.begin - 1);
      if (before != nullptr && before->read && !before->execute && is_loader(memory_, before->path))
        data.begin = before->range.begin;
      note_words(data, [&](Word word) { data_.push_back(word); });
    }
  }

  template <class Note>
  void note_words(Range range, Note note) const {
    std::uint64_t left = most_data_bytes;
    for_each_piece(memory_, range, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + word_ <= bytes.size(); i += word_) note(Word{at + i, memory_.word_at(bytes, i)});
      left -= std::min<std::uint64_t>(left, bytes.size());
      return left > 0;
    });
  }

  std::optional<Address> member(Address object, std::size_t index) {
    const auto at = Range::make(object, (index + 1) * word_);
    return at && object % word_ == 0 && memory_.mapping_of(object) != nullptr ? cache_.word(at->end - word_)
                                                                              : std::nullopt;
  }

  void follow_link_maps() {
    for (const Word& word : data_)
      if (objects_.empty() && is_first(word.value))
        for (Address object = word.value, before = 0; objects_.size() < most_objects;) {
          if (!memory_.writable(object) || member(object, 5) != object || member(object, 4) != before) break;
          objects_.push_back(object);
          before = object;
          object = member(object, 3).value_or(0);
        }
  }

  bool is_first(Address object) {
    if (object == 0 || !memory_.writable(object) || member(object, 5) != object || member(object, 4) != Address{0})
      return false;
    const Address second = member(object, 3).value_or(0);
    return second != 0 && memory_.writable(second) && member(second, 4) == object;
  }

  /// What was there from the start: _dl_initial_searchlist, and the vdso, which is in no list. False: there is no such
  /// list. The one in the link_map of the program grows with RTLD_GLOBAL, and then is malloc's.
  bool prove_first_objects() {
    const std::set<Address> known(objects_.begin(), objects_.end());
    const Range own{objects_.front(), objects_.front() + link_map_words * word_};
    std::vector<Address> first;
    Address list = 0;
    for (std::size_t i = 0; i + 1 < data_.size() && first.empty(); ++i) {
      const auto [place, at] = data_[i];
      const std::uint64_t count = data_[i + 1].value & 0xffffffff;  // an unsigned int
      if (count == 0 || count > objects_.size() || own.contains(place) || member(at, 0) != objects_.front()) continue;
      for (std::size_t each = 0; each < count; ++each) first.push_back(member(at, each).value_or(0));
      if (!std::ranges::all_of(first, [&](Address object) { return known.contains(object); })) first.clear();
      list = at;
    }
    if (first.empty()) return false;
    prove(list, first.size() * word_);
    if (objects_.size() > 1)  // the vdso comes directly behind the program
      if (const Mapping* code = memory_.mapping_of(member(objects_[1], 2).value_or(0)); code && code->path == "[vdso]")
        first.push_back(objects_[1]);
    for (const Address object : first) prove(object, link_map_words * word_);
    for (const Address object : first)
      note_words({object, object + link_map_words * word_}, [&](Word word) { point_to(word.value); });
    for (const Word& word : data_) point_to(word.value);
    return true;
  }

  /// Its struct pthread, which begins with {itself, dtv, itself} on x86, and its static TLS below that. The first
  /// thread of a process that a thread forked has that thread's, which lies on a stack. A dtv that has grown is
  /// malloc's.
  void prove_first_thread() {
    const auto& threads = memory_.facts().threads;
    const auto first = std::ranges::find(threads, memory_.facts().target.pid.value_or(0), &Thread::id);
    if (first == threads.end() || !first->control_block) return;
    const Address self = *first->control_block, dtv = member(self, 1).value_or(0);
    const auto own = Range::make(self, pthread_words * word_);
    if (!own || member(self, 0) != self || member(self, 2) != self || dtv < 2 * word_ || on_a_stack(self)) return;
    const bool first_dtv = points_into({dtv, dtv + 1});
    if (!first_dtv && !points_into(*own)) return;
    const std::uint64_t modules = std::min(member(dtv - 2 * word_, 0).value_or(0), most_modules);
    if (first_dtv) prove(dtv - 2 * word_, (2 * modules + 4) * word_);
    Address begin = self;
    for (std::uint64_t i = 1; i <= modules; ++i)
      if (const auto block = member(dtv, 2 * i), to_free = member(dtv, 2 * i + 1);
          block && *block < begin && self - *block <= most_static_tls && to_free == Address{0} &&
          memory_.mapping_of(*block) == memory_.mapping_of(self))
        begin = *block;
    prove(begin, self - begin + pthread_words * word_);
  }

  /// Tables that have grown stay where they were, and nothing points to them: they lie beside other pages of its.
  void prove_unique_symbols() {
    std::set<const Mapping*> beside;
    for (const auto& [begin, mapping] : touched_)
      if (mapping->range.size() <= most_stretch_bytes) beside.insert(mapping);
    for (const Address page : pointed_)
      if (const Mapping* mapping = plain_mapping(page); mapping && mapping->range.size() <= most_stretch_bytes)
        beside.insert(mapping);
    for (const Mapping* mapping : beside)
      for (const Range& stretch : stretches_of(*mapping)) prove_unique_symbols(stretch);
  }

  void prove_unique_symbols(Range stretch) {
    UniqueSymbol last{};
    std::map<Address, std::size_t> of_page;
    note_words(stretch, [&](Word word) {
      std::ranges::copy(last | std::views::drop(1), last.begin());
      last.back() = word.value;
      if (is_unique_symbol(last)) ++of_page[page_of(word.place)];
    });
    for (const auto& [page, count] : of_page)
      if (count >= enough_unique_symbols) prove(page, memory_.page_bytes());
  }

  bool is_unique_symbol(const UniqueSymbol& words) const {
    const std::uint64_t hash = words[0];
    return hash != 0 && hash <= 0xffffffff && in_an_image(words[1]) && in_an_image(words[2]) &&
           std::ranges::find(objects_, words[3]) != objects_.end();
  }

  bool in_an_image(Address address) const {
    return std::ranges::any_of(images_, [&](Range each) { return each.contains(address); });
  }

  /// Whether a word of ld.so's data does.
  bool points_into(Range range) const {
    return std::ranges::any_of(data_, [&](const Word& word) { return range.contains(word.value); });
  }

  bool on_a_stack(Address address) const {
    return std::ranges::any_of(memory_.facts().stacks,
                               [&](const ThreadStack& stack) { return stack.range.contains(address); });
  }

  /// The private mapping without a name that the address is in; null when it is in none.
  const Mapping* plain_mapping(Address address) const {
    const Mapping* mapping = memory_.mapping_of(address);
    const bool plain = mapping != nullptr && mapping->inode == 0 && !mapping->shared && mapping->write &&
                       !mapping->execute && mapping->path.empty();
    return plain ? mapping : nullptr;
  }

  Address page_of(Address address) const { return address - address % memory_.page_bytes(); }

  void prove(Address address, std::uint64_t bytes) {
    const Mapping* mapping = plain_mapping(address);
    const auto range = Range::make(address, bytes);
    if (mapping == nullptr || !range) return;
    touched_.emplace(mapping->range.begin, mapping);
    for (Address page = page_of(address); page < std::min(range->end, mapping->range.end); page += memory_.page_bytes())
      proved_.insert(page);
  }

  /// The end of an image may look like a pointer to what lies behind it.
  void point_to(Address address) {
    const bool of_image =
        std::ranges::any_of(images_, [&](Range each) { return each.begin <= address && address <= each.end; });
    if (!of_image && plain_mapping(address) != nullptr) pointed_.insert(page_of(address));
  }

  /// The mapping without what images have of it: the kernel joins .bss with what lies behind it.
  std::vector<Range> stretches_of(const Mapping& mapping) const {
    std::vector<Range> stretches;
    Address begin = mapping.range.begin;
    for (const Range& image : images_) {
      if (!image.overlaps(mapping.range)) continue;
      if (begin < image.begin) stretches.push_back({begin, image.begin});
      begin = std::max(begin, image.end);
    }
    if (begin < mapping.range.end) stretches.push_back({begin, mapping.range.end});
    return stretches;
  }

  void add(Range stretch, std::vector<Range>& found) const {
    const std::uint64_t page_bytes = memory_.page_bytes();
    std::vector<Range> proved;
    bool all = ends_known_ && stretch.size() <= most_stretch_bytes;
    for (auto page = proved_.lower_bound(stretch.begin); page != proved_.end() && *page < stretch.end; ++page)
      proved.push_back({*page, *page + page_bytes});
    for (Address page = stretch.begin; page < stretch.end && all; page += page_bytes)
      all = proved_.contains(page) || pointed_.contains(page);
    if (all && !proved.empty())
      found.push_back(stretch);
    else
      found.insert(found.end(), proved.begin(), proved.end());
  }

  const TargetMemory& memory_;
  PageCache cache_;
  std::size_t word_;
  bool ends_known_;  // of images: what is behind them can be told from them
  std::vector<Range> images_;
  std::vector<Word> data_;        // of ld.so
  std::vector<Address> objects_;  // link_maps
  std::map<Address, const Mapping*> touched_;
  std::set<Address> proved_, pointed_;  // pages
};

}  // namespace

std::vector<Range> find_loader_data(const TargetMemory& memory) { return Finder(memory).find(); }

}  // namespace vmscan
