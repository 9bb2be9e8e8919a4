#include <algorithm>

#include "libvmscan/base/range_list.h"
#include "libvmscan/source/minidump.h"
#include "libvmscan/source/minidump/minidump_facts.h"
#include "libvmscan/source/minidump/minidump_memory.h"

namespace vmscan {
namespace {

class MinidumpSource : public Source {
 public:
  MinidumpSource(FileBytes file, MinidumpFile dump) : dump_(std::move(dump)), memory_(std::move(file), dump_) {}
  MinidumpSource(const MinidumpSource&) = delete;
  MinidumpSource& operator=(const MinidumpSource&) = delete;

  Result<Facts> collect(const CollectOptions& options) override { return facts_of_minidump(dump_, memory_, options); }
  const MemoryReader* memory() const override { return &memory_; }

 private:
  MinidumpFile dump_;
  MinidumpMemory memory_;
};

}  // namespace

Result<std::size_t> MinidumpMemory::do_read(Address address, std::span<std::byte> buffer) const {
  const DumpedMemory* piece = item_at(dump_.memory, address);
  if (piece == nullptr || address - piece->range.begin >= piece->held) return std::size_t{0};
  const std::uint64_t inside = address - piece->range.begin;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), piece->held - inside));
  return file_.read(piece->offset + inside, buffer.first(count));
}

Result<std::vector<Range>> MinidumpMemory::do_present(std::span<const Range> ranges) const {
  std::vector<Range> parts;
  for (const Range& wanted : ranges)
    for (auto piece = first_behind(dump_.memory, wanted.begin);
         piece != dump_.memory.end() && piece->range.begin < wanted.end; ++piece) {
      const Range held{piece->range.begin, piece->range.begin + piece->held};
      if (const Range part = held.intersect(wanted); !part.empty()) parts.push_back(part);
    }
  return parts;
}

Result<std::unique_ptr<Source>> open_minidump(FileBytes file) {
  auto dump = read_minidump_file(file);
  if (!dump) return std::unexpected(dump.error());
  return std::make_unique<MinidumpSource>(std::move(file), std::move(*dump));
}

}  // namespace vmscan
