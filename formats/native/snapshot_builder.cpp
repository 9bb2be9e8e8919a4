#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "formats/native/snapshot_fields.h"
#include "formats/views/text.h"
#include "libvmscan/model/laws.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t most_limits = 1000;

std::string message_for(std::string_view code, const std::string& first, std::size_t count) {
  const std::string more = count == 1 ? std::string() : fmt::format(" (and {} more)", count - 1);
  if (code == "unknown_type") {
    return fmt::format("{} is a type that this version does not know{}; shown as Private Data", first, more);
  }
  if (code == "inconsistent") return fmt::format("the figures of the file disagree: {}{}", first, more);
  return fmt::format("{} is a value that this version does not know{}; taken as unknown", first, more);
}

}  // namespace

void SnapshotBuilder::fail(ErrorCode code, std::string reason, std::string place) {
  if (!problem_) problem_ = Problem{code, std::move(place), std::move(reason)};
}

void SnapshotBuilder::enter(Context context, std::string_view key) {
  switch (context) {
    case Context::Root:
      snapshot_.regions_known = false;
      break;  // until there are regions
    case Context::Target:
      snapshot_.target = {};
      break;
    case Context::NamespacePids:
      snapshot_.target.namespace_pids.clear();
      break;
    case Context::Arguments:
      snapshot_.target.arguments.clear();
      break;
    case Context::AddressSpace:
      address_space_ = {};
      break;
    case Context::Regions:
      snapshot_.regions.clear();
      snapshot_.regions_known = true;
      break;
    case Context::Region:
      region_ = {};
      region_range_ = {};
      region_has_blocks_ = false;
      break;
    case Context::Blocks:
      region_.blocks.clear();
      region_has_blocks_ = true;
      break;
    case Context::Block:
      block_ = {};
      block_range_ = {};
      in_block_ = true;
      break;
    case Context::Kernel:
      snapshot_.kernel = {};
      break;
    case Context::Limits:
      snapshot_.limits.clear();
      break;
    case Context::Limit:
      std::erase_if(snapshot_.limits, [key](const Limit& limit) { return limit.name == key; });
      if (snapshot_.limits.size() >= most_limits) fail(ErrorCode::Malformed, "too many limits");
      snapshot_.limits.push_back({.name = std::string(key), .used = {}, .limit = {}});
      break;
    case Context::Threads:
      snapshot_.threads.clear();
      break;
    case Context::Thread:
      snapshot_.threads.emplace_back();
      break;
    case Context::Heap:
      heap_ = std::make_shared<HeapContents>();
      break;
    case Context::HeapList:
      heap_->heaps.clear();
      break;
    case Context::HeapEntry:
      heap_->heaps.emplace_back();
      break;
    case Context::Sizes:
      heap_->sizes.clear();
      break;
    case Context::Size:
      heap_->sizes.emplace_back();
      break;
    case Context::Types:
      heap_->types.clear();
      break;
    case Context::Type:
      heap_->types.emplace_back();
      break;
    case Context::Shortfalls:
      snapshot_.heap_shortfalls.clear();
      break;
    case Context::Shortfall:
      snapshot_.heap_shortfalls.emplace_back();
      break;
    case Context::Notes:
      snapshot_.notes.clear();
      break;
    case Context::Note:
      snapshot_.notes.emplace_back();
      break;
    case Context::Ignored:
      break;
  }
}

void SnapshotBuilder::leave(Context context) {
  if (context == Context::Target) finish_target();
  if (context == Context::Region) finish_region();
  if (context == Context::Block) finish_block();
  if (context == Context::AddressSpace) finish_address_space();
  if (context == Context::HeapEntry) check_heap();
  if (context == Context::Heap) snapshot_.heap = std::move(heap_);
}

void SnapshotBuilder::finish_target() {
  const std::uint64_t size = snapshot_.target.page_size;
  if (std::has_single_bit(size)) return;
  fail(ErrorCode::Malformed, fmt::format("{} is not a power of two", size), ".page_size");
}

/// The range of a region or block, or nothing and a problem.
std::optional<Range> SnapshotBuilder::checked(const PendingRange& pending) {
  if (!pending.begin) {
    fail(ErrorCode::Malformed, "missing", ".address");
  } else if (!pending.size) {
    fail(ErrorCode::Malformed, "missing", ".size");
  } else if (*pending.size == 0) {
    fail(ErrorCode::Malformed, "0 bytes are no range", ".size");
  } else if (const auto range = Range::make(*pending.begin, *pending.size)) {
    return range;
  } else {
    fail(ErrorCode::Malformed, fmt::format("{:#x} and {} bytes wrap around", *pending.begin, *pending.size), ".size");
  }
  return std::nullopt;
}

void SnapshotBuilder::finish_block() {
  in_block_ = false;
  const auto range = checked(block_range_);
  if (!range) return;
  block_.range = *range;
  region_.blocks.push_back(std::move(block_));
}

bool SnapshotBuilder::check_order() {
  if (region_.type == RegionType::Free || region_.type == RegionType::PageTable) {
    fail(ErrorCode::Malformed, fmt::format("'{}' is not a type of stored regions", name_of(region_.type)), ".type");
    return false;
  }
  if (snapshot_.regions.empty() || snapshot_.regions.back().range.end <= region_.range.begin) return true;
  fail(ErrorCode::Malformed,
       fmt::format("{:#x} lies before {:#x}, the end of the region before", region_.range.begin,
                   snapshot_.regions.back().range.end),
       ".address");
  return false;
}

bool SnapshotBuilder::check_blocks() {
  Address covered = region_.range.begin;
  for (std::size_t i = 0; i < region_.blocks.size(); ++i) {
    const Range range = region_.blocks[i].range;
    if (range.begin != covered || range.end > region_.range.end) {
      fail(ErrorCode::Malformed, fmt::format("does not follow on {:#x} inside its region", covered),
           fmt::format(".blocks[{}]", i));
      return false;
    }
    covered = range.end;
  }
  if (covered == region_.range.end) return true;
  fail(ErrorCode::Malformed, fmt::format("they cover the region only up to {:#x}", covered), ".blocks");
  return false;
}

/// A file that does not tell blocks: the region is one.
void SnapshotBuilder::add_whole_block() {
  Block block;
  block.range = region_.range;
  block.state = region_.usage.committed == Bytes{0} ? State::Reserved : State::Committed;
  block.usage = region_.usage;
  region_.blocks.push_back(std::move(block));
}

void SnapshotBuilder::finish_region() {
  const auto range = checked(region_range_);
  if (!range) return;
  region_.range = *range;
  if (!region_has_blocks_) add_whole_block();
  if (!check_order() || !check_blocks()) return;
  std::string broken = broken_usage(region_);
  if (!broken.empty()) oddity_ = Oddity{"inconsistent", std::move(broken)};
  snapshot_.regions.push_back(std::move(region_));
}

void SnapshotBuilder::finish_address_space() {
  snapshot_.address_space.reset();
  if (!address_space_.begin || !address_space_.end) return;
  if (*address_space_.begin > *address_space_.end) return fail(ErrorCode::Malformed, "ends before it begins", ".end");
  snapshot_.address_space = Range{*address_space_.begin, *address_space_.end};
}

void SnapshotBuilder::check_heap() {
  const HeapTotals& heap = heap_->heaps.back();
  if (heap.live.bytes + heap.cached.bytes + heap.free.bytes + heap.overhead + heap.unread == heap.size) return;
  oddity_ = Oddity{"inconsistent", "size is not the sum of live, cached, free, overhead and unread"};
}

void SnapshotBuilder::record_oddity(const std::string& place) {
  Oddities& known = oddities_[std::string(oddity_->code)];
  if (known.count++ == 0) known.first = fmt::format("{} {}", place, oddity_->text);
  oddity_.reset();
}

Snapshot SnapshotBuilder::finish() {
  for (const auto& [code, oddities] : oddities_) {
    Note note{code, message_for(code, oddities.first, oddities.count)};
    const bool there = std::any_of(snapshot_.notes.begin(), snapshot_.notes.end(), [&note](const Note& other) {
      return other.code == note.code && other.message == note.message;
    });
    if (!there) snapshot_.notes.push_back(std::move(note));
  }
  return std::move(snapshot_);
}

}  // namespace vmscan::formats
