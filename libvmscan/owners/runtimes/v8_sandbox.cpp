// V8 in a sandbox (Chromium): all heaps of a process share one cage of 4 GiB, at a multiple of 4 GiB. A page begins at
// a multiple of 256 KiB with {flags, number of its record}; in the cage the number is the page's own number from the
// cage's beginning, in the cage for trusted objects it is that and 0x4000, which proves both. Around the cage, in the
// same reservation of a terabyte and more, lie array buffers and guards. Regions of any program may count themselves,
// so other mappings that begin in the cage, but for its first page, must not say something else. The range for code has
// {flags, number} at the beginning of its pages, too; there numbers begin at 0x5000, or at 0x8000 where the trusted
// cage has 4 GiB. src/heap/memory-chunk.h and src/sandbox/sandbox.h; seen in renderers of Chromium 156.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/owners/runtimes/v8.h"

namespace vmscan {
namespace {

constexpr std::uint64_t cage_bytes = std::uint64_t{4} << 30, most_sandbox_bytes = std::uint64_t{1} << 43;
constexpr std::uint64_t trusted_number = 0x4000, code_numbers[] = {0x5000, 0x8000};
constexpr std::size_t least_pages = 3, most_strange_share = 4;

struct Header {
  Address at = 0;
  std::uint64_t flags = 0, number = 0;
};

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    if (memory_.word_bytes() != 8) return;
    for_each_v8_boundary(scan_, [&](Address at) { look_at(at); });
    for (const auto& [cage, headers] : main_)
      if (headers.size() >= least_pages && strangers_[cage] * most_strange_share <= headers.size() &&
          memory_.mapped({cage, cage + cage_bytes}))
        add_sandbox(cage, headers);
    if (!found_) return;
    for (const auto& [cage, headers] : trusted_) add_trusted(cage, headers);
    for (const Header& header : code_) add_code(header);
  }

 private:
  void look_at(Address at) {
    const std::byte* bytes = scan_.bytes(at, 16);
    if (bytes == nullptr) return;
    const Header header{at, memory_.word_at({bytes, 16}, 0), memory_.half_at({bytes, 16}, 8)};
    const std::uint64_t number = at % cage_bytes / v8_page_bytes;
    const bool of_cage = header.flags < v8_most_flags && header.number == number && number != 0;
    if (of_cage) main_[at - at % cage_bytes].push_back(header);
    if (!of_cage && number != 0 && memory_.mapping_of(at)->range.begin == at) ++strangers_[at - at % cage_bytes];
    if (header.flags >= v8_most_flags) return;
    if (header.number == number + trusted_number) trusted_[at - at % cage_bytes].push_back(header);
    const bool of_code =
        std::find(std::begin(code_numbers), std::end(code_numbers), header.number) != std::end(code_numbers);
    const Mapping* mapping = memory_.mapping_of(at);
    if (of_code && mapping != nullptr && mapping->execute && mapping->range.begin == at) code_.push_back(header);
  }

  void add_sandbox(Address cage, const std::vector<Header>& headers) {
    found_ = true;
    const Range heap{cage, cage + cage_bytes}, around = scan_.reservation_with(cage);
    const Range sandbox = around.contains(heap) && around.size() <= most_sandbox_bytes ? whole_cages(around) : heap;
    const std::string evidence =
        fmt::format("{} page headers from {:#x} on hold their own numbers in the cage at {:#x}", headers.size(),
                    headers.front().at, cage);
    scan_.add({sandbox.begin, cage}, "V8 sandbox", evidence, "array buffers");
    add_pages(heap, headers, "V8 heap cage", evidence);
    scan_.add({heap.end, sandbox.end}, "V8 sandbox", evidence, "array buffers");
  }

  /// The sandbox and its guards begin and end at multiples of 4 GiB: what lies before and behind happens to touch.
  static Range whole_cages(Range around) {
    const auto first = Range::make(around.begin, cage_bytes - 1);
    return {first ? first->end / cage_bytes * cage_bytes : around.end, around.end / cage_bytes * cage_bytes};
  }

  /// The pages by what their flags say, up to the end of their mapping or the next page: what follows a page without a
  /// header of its own is the rest of a large one.
  void add_pages(Range cage, const std::vector<Header>& headers, std::string_view details,
                 const std::string& evidence) {
    Address done = cage.begin;
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const Mapping* mapping = memory_.mapping_of(headers[i].at);
      if (mapping == nullptr || headers[i].at < done) continue;
      Address end = std::min(mapping->range.end, cage.end);
      if (i + 1 < headers.size()) end = std::min(end, headers[i + 1].at);
      const bool large = end - headers[i].at > v8_page_bytes;
      scan_.add({done, headers[i].at}, details, evidence);
      scan_.add({headers[i].at, end}, details, evidence,
                (mapping->write ? v8_space_by_flags(headers[i].flags, large) : "V8 read-only space").substr(3));
      done = end;
    }
    scan_.add({done, cage.end}, details, evidence);
  }

  void add_trusted(Address cage, const std::vector<Header>& headers) {
    const Range reserved = scan_.reservation_with(headers.front().at);
    if (!reserved.contains(cage)) return;
    scan_.add({cage, std::min(reserved.end, cage + cage_bytes)}, "V8 trusted space",
              fmt::format("the page header at {:#x} holds its own number", headers.front().at));
  }

  void add_code(const Header& header) {
    scan_.add(memory_.mapping_of(header.at)->range, "V8 code range",
              fmt::format("the page header at {:#x} holds the first number of code", header.at));
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::map<Address, std::vector<Header>> main_, trusted_;  // by cage
  std::map<Address, std::size_t> strangers_;               // by cage: mappings that begin with something else
  std::vector<Header> code_;
  bool found_ = false;
};

}  // namespace

void find_v8_sandbox(RuntimeScan& scan) {
  if (v8_is_possible(scan)) Finder(scan).find();
}

}  // namespace vmscan
