#include <algorithm>

#include "libvmscan/base/range_list.h"
#include "libvmscan/owners/allocators/leaf_map.h"
#include "libvmscan/owners/allocators/tcmalloc/tcmalloc.h"

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = 8192, root_bytes = std::uint64_t{8} << 17, leaf_alignment = 64;
constexpr std::size_t span_bytes = 48, most_spans = 1 << 22;
constexpr std::uint64_t most_tried_bytes = 256 << 20, metadata_chunk = 8 << 20;
constexpr std::size_t most_classes = 128, least_proof = 4, enough_proof = 64;
constexpr std::uint32_t largest_class = 256 << 10;

class Finder {
 public:
  explicit Finder(PageCache& cache) : memory_(cache.memory()), cache_(cache) {}

  TcmallocHeaps find() {
    if (memory_.word_bytes() != 8) return {};
    const auto plausible = [&](std::uint64_t index, Address span) {
      const auto range = pages_of(span);
      const std::uint64_t first = range ? range->begin / page_bytes % leaf_words : 0;
      return range && (index - first) % leaf_words < range->size() / page_bytes;
    };
    const auto judge = [&](Range in, Address place, Address leaf) { return root_of(in, place, leaf); };
    const Address root = find_root(memory_, root_bytes, leaf_alignment, page_bytes * leaf_words, plausible, judge);
    if (root == 0) return {};
    found_.root = root;
    for_each_leaf(memory_, {root, root + root_bytes}, leaf_alignment, [&](std::uint64_t number, Address leaf) {
      found_.metadata.push_back({leaf, leaf + leaf_bytes});
      read_leaf(number, leaf);
    });
    untangle(found_.spans, [](TcmallocSpan&, std::uint64_t) {});
    join_metadata();
    for (const Range& data : memory_.image_data([](const TargetMemory&, std::string_view) { return true; }))
      if (data.contains(root)) find_sizes(data);
    return std::move(found_);
  }

 private:
  /// The root, if `place` holds its pointer to a leaf: the spans in it tell which one of the root's it is.
  Address root_of(Range data, Address place, Address leaf) {
    Address root = 0;
    std::size_t good = 0, bad = 0;  // entries of spans that were joined stay behind
    // The spans of a process that maps and unmaps all the time may be others than its map was.
    const bool live = memory_.facts().target.kind == TargetKind::Process;
    const std::size_t slack = live ? 6 : 0;
    const auto fits = [&](Address span, std::uint64_t index) {
      const auto range = pages_of(span);
      const std::uint64_t number = range ? range->begin / page_bytes / leaf_words : 0;
      if (!range || number > place / 8 || !range->contains((number * leaf_words + index) * page_bytes)) return false;
      const Address here = place - 8 * number;
      if ((root != 0 && here != root) || !data.contains({here, here + root_bytes})) return false;
      root = here;
      return true;
    };
    for_each_piece(
        memory_, {leaf, leaf + leaf_bytes},
        [&](Address at, std::span<const std::byte> bytes) {
          tried_bytes_ += bytes.size();
          for (std::size_t i = 0; i + 8 <= bytes.size() && good < enough_proof && bad <= good + slack; i += 8)
            if (const Address span = memory_.word_at(bytes, i); span != 0)
              ++(fits(span, (at + i - leaf) / 8) ? good : bad);
          return tried_bytes_ <= most_tried_bytes && good < enough_proof && bad <= good + slack;
        },
        small_piece);
    const bool proved = bad <= good / 2 ? good >= least_proof : live && bad <= good && good >= 2 * least_proof;
    return proved ? root : 0;
  }

  /// The memory of what may be a span.
  std::optional<Range> pages_of(Address span) {
    if (span % 8 != 0 || !memory_.writable(span)) return std::nullopt;
    const auto bytes = cache_.at(span, span_bytes);
    if (bytes.empty()) return std::nullopt;
    const std::uint64_t start = memory_.word_at(bytes, 0), length = memory_.word_at(bytes, 8);
    if (start == 0 || start >> 35 != 0 || length == 0 || length >> 35 != 0) return std::nullopt;
    const Range range{start * page_bytes, (start + length) * page_bytes};
    return memory_.mapped(range) ? std::optional(range) : std::nullopt;
  }

  void read_leaf(std::uint64_t number, Address leaf) {
    Address behind = 0;  // the end of the span that was seen last
    for_each_piece(memory_, {leaf, leaf + leaf_bytes}, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        const Address span = memory_.word_at(bytes, i);
        const Address page = (number * leaf_words + (at + i - leaf) / 8) * page_bytes;
        if (span == 0 || page < behind) continue;
        const auto range = pages_of(span);
        if (!range || range->begin != page) continue;  // entries of spans that were joined stay behind
        const auto bytes_of_span = cache_.at(span, span_bytes);
        const std::uint32_t bits = memory_.half_at(bytes_of_span, 40);
        behind = range->end;
        found_.spans.push_back({.range = *range,
                                .first_free = memory_.word_at(bytes_of_span, 32),
                                .used_blocks = bits & 0xffff,
                                .size_class = bits >> 16 & 0xff,
                                .state = static_cast<TcmallocSpan::State>(std::min<std::uint32_t>(bits >> 24 & 3, 2))});
        const Address at_page = span - span % memory_.page_bytes();
        if (found_.metadata.back().begin != at_page)
          found_.metadata.push_back({at_page, at_page + memory_.page_bytes()});
        if (found_.spans.size() >= most_spans) return false;
      }
      return true;
    });
  }

  /// Metadata is taken in chunks of 8 MiB: what lies between two parts of it and is no span's is of the same chunk.
  void join_metadata() {
    found_.metadata = joined(std::move(found_.metadata));
    std::vector<Range> whole;
    for (const Range& part : found_.metadata) {
      if (!whole.empty() && part.begin - whole.back().end <= metadata_chunk) {
        const Range gap{whole.back().end, part.begin};
        const auto span = first_behind(found_.spans, gap.begin);
        const Mapping* mapping = memory_.mapping_of(gap.begin);
        if ((span == found_.spans.end() || span->range.begin >= gap.end) && mapping != nullptr &&
            mapping->range.contains(gap)) {
          whole.back().end = part.end;
          continue;
        }
      }
      whole.push_back(part);
    }
    found_.metadata = std::move(whole);
  }

  /// class_to_size_: 0, 8, then rising to 256 KiB.
  void find_sizes(Range data) {
    std::vector<std::uint32_t> run;
    for_each_piece(memory_, data, [&](Address, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
        const std::uint32_t value = memory_.half_at(bytes, i);
        const bool rises = run.empty()       ? value == 0
                           : run.size() == 1 ? value == 8
                                             : value > run.back() && value % 8 == 0;
        if (rises && value <= largest_class && run.size() < most_classes) {
          run.push_back(value);
          if (value != largest_class || run.size() < 16) continue;
          found_.sizes = std::move(run);
          return false;
        }
        run.clear();
        if (value == 0) run.push_back(value);
      }
      return true;
    });
  }

  const TargetMemory& memory_;
  PageCache& cache_;
  TcmallocHeaps found_;
  std::uint64_t tried_bytes_ = 0;
};

}  // namespace

TcmallocHeaps find_tcmalloc(PageCache& cache) { return Finder(cache).find(); }

}  // namespace vmscan
