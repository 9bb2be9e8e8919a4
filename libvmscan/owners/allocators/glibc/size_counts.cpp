#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

namespace vmscan {

SizeCounts::Counts* SizeCounts::find(std::uint64_t size) {
  if (size < small_limit) return &small_[size / step_];
  const auto it = large_.find(size);
  return it == large_.end() ? nullptr : &it->second;
}

void SizeCounts::add_large(std::uint64_t size, BlockState state) {
  if (large_.size() < most_large || large_.contains(size))
    ++large_[size][static_cast<std::size_t>(state)];
  else
    ++left_out_;
}

void SizeCounts::take_from_live(std::uint64_t size, std::optional<BlockState> into) {
  Counts* counts = find(size);
  if (counts == nullptr || (*counts)[0] == 0) return;
  --(*counts)[0];
  if (into) ++(*counts)[static_cast<std::size_t>(*into)];
}

SizeCounts& SizeCounts::operator+=(const SizeCounts& other) {
  const auto add = [](Counts& to, const Counts& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  for (std::size_t i = 0; i < small_.size(); ++i) add(small_[i], other.small_[i]);
  for (const auto& [size, counts] : other.large_)
    if (large_.size() < most_large || large_.contains(size))
      add(large_[size], counts);
    else
      for (const std::uint64_t count : counts) left_out_ += count;
  left_out_ += other.left_out_;
  return *this;
}

std::vector<SizeTotals> SizeCounts::totals(const GlibcLayout& layout) const {
  std::vector<SizeTotals> result;
  const auto add = [&](std::uint64_t size, const Counts& counts) {
    if (counts == Counts{}) return;
    SizeTotals totals{.size = size};
    totals.most_request = size - layout.word;
    totals.least_request = size == layout.least_chunk() ? 0 : totals.most_request - layout.alignment + 1;
    totals.live = {counts[0], counts[0] * size};
    totals.cached = {counts[1], counts[1] * size};
    totals.free = {counts[2], counts[2] * size};
    result.push_back(totals);
  };
  for (std::size_t i = 0; i < small_.size(); ++i) add(i * step_, small_[i]);
  for (const auto& [size, counts] : large_) add(size, counts);
  return result;
}

}  // namespace vmscan
