// The frame of a minidump: the directory of its streams, and the ways in which streams hold records and text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/file_bytes.h"

namespace vmscan {

namespace stream_type {
inline constexpr std::uint32_t thread_list = 3, module_list = 4, memory_list = 5, exception = 6, system_info = 7,
                               thread_ex_list = 8, memory64_list = 9, misc_info = 15, memory_info_list = 16,
                               thread_info_list = 17, process_vm_counters = 22, thread_names = 24;
inline constexpr std::uint32_t linux_proc_status = 0x47670004, linux_cmd_line = 0x47670006, linux_auxv = 0x47670008,
                               linux_maps = 0x47670009;
}  // namespace stream_type

/// The name of a stream that is read here; empty for any other.
std::string_view name_of_stream(std::uint32_t type);

struct Stream {
  std::uint32_t type = 0;
  std::uint64_t offset = 0, size = 0;  // in the file, never beyond its end
  std::uint64_t told = 0;              // the size that the directory tells
};

struct StreamDirectory {
  std::vector<Stream> streams;  // those read here, the first of each type
  std::uint64_t entries_missing = 0;
  std::vector<std::uint32_t> twice;  // types of streams that came again
};

using RecordBytes = std::span<const std::byte>;

/// Where the records of a list are.
struct RecordList {
  std::uint64_t offset = 0;  // of the first, into the file
  std::uint64_t stride = 0;  // bytes from one to the next, not 0
  std::uint64_t count = 0;   // as the list tells
  std::uint64_t end = 0;     // where the stream ends in the file
};

/// Calls `take` with the first `size` bytes of each record that is there; `take` returns whether the record is good.
/// Returns how many records were missing or not good.
std::uint64_t for_each_record(const FileBytes& file, const RecordList& list, std::size_t size,
                              const std::function<bool(RecordBytes)>& take);

/// A list with its count in 4 bytes before the records. Some writers pad these to 8: what fits the size of the stream
/// decides. Nothing when the stream is too short for the count.
std::optional<RecordList> simple_list(const FileBytes& file, const Stream& stream, std::uint64_t stride);

/// A list that tells the sizes of its header and of its records. Nothing when these are smaller than `least_header` and
/// `least_record` bytes, or the stream is too short to tell. `count_width`: 4 or 8 bytes, behind the two sizes.
std::optional<RecordList> sized_list(const FileBytes& file, const Stream& stream, unsigned count_width,
                                     std::uint64_t least_record);

/// Text that a stream refers to: a count of bytes, then UTF-16. What all texts of a dump may take together is bounded
/// by its size, as many records may refer to one text.
class TextReader {
 public:
  explicit TextReader(const FileBytes& file) : file_(file), left_(2 * file.size + (64 << 10)) {}
  /// Nothing when it is not there; then `lost` counts.
  std::optional<std::string> read(std::uint64_t offset);
  std::uint64_t lost = 0;

 private:
  const FileBytes& file_;
  std::uint64_t left_;
};

/// All bytes of a stream, at most `most`.
std::vector<std::byte> stream_bytes(const FileBytes& file, const Stream& stream, std::uint64_t most);

}  // namespace vmscan
