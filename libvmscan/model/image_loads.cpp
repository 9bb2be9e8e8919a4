#include "libvmscan/model/image_loads.h"

#include <algorithm>
#include <set>
#include <utility>

namespace vmscan {
namespace {

std::uint64_t page_floor(std::uint64_t value, std::uint64_t page) { return value / page * page; }
std::uint64_t page_ceil(std::uint64_t value, std::uint64_t page) {
  return value > ~page ? ~(page - 1) : page_floor(value + page - 1, page);
}

/// Whether the mapping shows a part of the segment, by its file offset; pages at a segment's ends belong to both
/// neighbours in the file.
bool in_segment(const Mapping& mapping, const ElfSegment& segment, std::uint64_t page) {
  if (segment.file_size == 0) return false;
  return page_floor(segment.offset, page) <= mapping.offset && mapping.offset < segment.offset + segment.file_size;
}

Address bias_of(const Mapping& mapping, const ElfSegment& segment, std::uint64_t page) {
  return mapping.range.begin -
         (page_floor(segment.address, page) + (mapping.offset - page_floor(segment.offset, page)));
}

/// Whether a loader would map the segment like this. RELRO and copy-on-write only ever take rights away from data.
bool rights_fit(const Mapping& mapping, const ElfSegment& segment) {
  return mapping.execute == segment.execute && (!mapping.write || segment.write);
}

bool extent_fits(const Mapping& mapping, const ElfSegment& segment, std::uint64_t page) {
  return mapping.range.size() <= page_ceil(segment.offset % page + segment.file_size, page);
}

struct Candidate {
  std::vector<std::size_t> members;     // indexes of mappings
  std::set<const ElfSegment*> fitting;  // segments mapped as the headers say
  bool executable = false;
};

using Candidates = std::map<std::pair<FileKey, Address>, Candidate>;

void add_candidates(const Mapping& mapping, std::size_t index, const ElfImage& image, std::uint64_t page,
                    Candidates& candidates) {
  for (const ElfSegment& segment : image.segments) {
    if (!in_segment(mapping, segment, page)) continue;
    Candidate& candidate = candidates[{key_of(mapping), bias_of(mapping, segment, page)}];
    if (candidate.members.empty() || candidate.members.back() != index) candidate.members.push_back(index);
    if (rights_fit(mapping, segment) && extent_fits(mapping, segment, page)) candidate.fitting.insert(&segment);
    candidate.executable |= mapping.execute && segment.execute;
  }
}

ImageLoad make_load(Address bias, Candidate& candidate, const ElfImage& image, std::uint64_t page) {
  ImageLoad load;
  load.image = &image;
  load.bias = bias;
  load.members = std::move(candidate.members);
  load.segments_mapped = candidate.fitting.size();
  load.executable = candidate.executable;
  for (const ElfSegment& segment : image.segments) {
    const Address begin = page_floor(segment.address, page) + load.bias;
    const std::uint64_t size = page_ceil(segment.address % page + segment.memory_size, page);
    if (const auto range = Range::make(begin, size)) load.segments.push_back(*range);
  }
  std::sort(load.segments.begin(), load.segments.end(), [](Range a, Range b) { return a.begin < b.begin; });
  if (!load.segments.empty()) load.span = load.segments.front();
  for (const Range& segment : load.segments) load.span.end = std::max(load.span.end, segment.end);
  return load;
}

/// Of candidates that would own the same mappings, the one with more segments in place is the load.
void drop_rivals(std::vector<ImageLoad>& loads) {
  std::stable_sort(loads.begin(), loads.end(), [](const ImageLoad& a, const ImageLoad& b) {
    return std::pair(a.segments_mapped, a.executable) > std::pair(b.segments_mapped, b.executable);
  });
  std::set<std::size_t> owned;
  std::erase_if(loads, [&](const ImageLoad& load) {
    if (std::any_of(load.members.begin(), load.members.end(), [&](std::size_t i) { return owned.contains(i); }))
      return true;
    owned.insert(load.members.begin(), load.members.end());
    return false;
  });
  std::sort(loads.begin(), loads.end(),
            [](const ImageLoad& a, const ImageLoad& b) { return a.members.front() < b.members.front(); });
}

}  // namespace

std::vector<ImageLoad> find_image_loads(const std::vector<Mapping>& mappings, const std::map<FileKey, ElfImage>& images,
                                        std::uint64_t page_size) {
  Candidates candidates;
  for (std::size_t index = 0; index < mappings.size(); ++index) {
    if (mappings[index].inode == 0) continue;
    const auto image = images.find(key_of(mappings[index]));
    if (image != images.end()) add_candidates(mappings[index], index, image->second, page_size, candidates);
  }
  std::vector<ImageLoad> loads;
  for (auto& [key, candidate] : candidates)
    if (candidate.executable || candidate.fitting.size() >= 2)
      loads.push_back(make_load(key.second, candidate, images.at(key.first), page_size));
  drop_rivals(loads);
  return loads;
}

}  // namespace vmscan
