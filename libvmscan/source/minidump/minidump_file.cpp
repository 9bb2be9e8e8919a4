#include "libvmscan/source/minidump/minidump_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/base/range_list.h"
#include "libvmscan/base/repeated_bytes.h"
#include "libvmscan/source/minidump/minidump_parts.h"

namespace vmscan {
namespace {

constexpr std::uint64_t signature = 0x504d444d, version = 0xa793;  // "MDMP"; the upper half of the version is anything
constexpr std::size_t header_bytes = 32, entry_bytes = 12;

struct StreamReader {
  std::uint32_t type;
  std::uint64_t (*read)(DumpReading&, const Stream&);
};

// In an order in which each finds what it needs: the machine before addresses and contexts, threads before their names,
// the counters of the status last, as they are the fuller ones.
constexpr std::array<StreamReader, 16> readers{{
    {stream_type::system_info, read_system_info},
    {stream_type::misc_info, read_misc_info},
    {stream_type::process_vm_counters, read_vm_counters},
    {stream_type::linux_proc_status, read_linux_status},
    {stream_type::linux_cmd_line, read_linux_arguments},
    {stream_type::linux_auxv, read_linux_auxv},
    {stream_type::linux_maps, read_linux_maps},
    {stream_type::memory64_list, read_memory64_list},
    {stream_type::memory_list, read_memory_list},
    {stream_type::memory_info_list, read_memory_info},
    {stream_type::module_list, read_modules},
    {stream_type::thread_ex_list, read_threads},
    {stream_type::thread_list, read_threads},
    {stream_type::thread_info_list, read_thread_info},
    {stream_type::thread_names, read_thread_names},
    {stream_type::exception, read_exception},
}};

StreamDirectory read_directory(const FileBytes& file, std::uint64_t offset, std::uint64_t count) {
  StreamDirectory directory;
  const RecordList list{offset, entry_bytes, count, file.size};
  directory.entries_missing = for_each_record(file, list, entry_bytes, [&](RecordBytes entry) {
    const std::uint32_t type = *number32_at(entry, 0);
    if (name_of_stream(type).empty()) return true;  // of no interest here, or unused
    const bool known = std::any_of(directory.streams.begin(), directory.streams.end(),
                                   [&](const Stream& stream) { return stream.type == type; });
    if (known) {
      if (std::find(directory.twice.begin(), directory.twice.end(), type) == directory.twice.end())
        directory.twice.push_back(type);
      return true;
    }
    const std::uint64_t told = *number_at(entry, 4, 4), at = *number_at(entry, 8, 4);
    directory.streams.push_back({type, at, at < file.size ? std::min(told, file.size - at) : 0, told});
    return true;
  });
  return directory;
}

void add_note(MinidumpFile& dump, bool when, std::string code, std::string message) {
  if (when) dump.notes.push_back({std::move(code), std::move(message)});
}

void read_streams(const StreamDirectory& directory, DumpReading& reading) {
  for (const StreamReader& reader : readers)
    for (const Stream& stream : directory.streams) {
      if (stream.type != reader.type) continue;
      const std::uint64_t lost = reader.read(reading, stream);
      const std::string_view name = name_of_stream(stream.type);
      add_note(reading.dump, stream.size < stream.told, "minidump_stream_cut_off",
               fmt::format("the stream {} is cut off: {} of its {} bytes are there", name, stream.size, stream.told));
      add_note(reading.dump, lost > 0, "minidump_records_broken",
               fmt::format("{} records of the stream {} are missing or broken", lost, name));
    }
}

void tell(const StreamDirectory& directory, const DumpReading& reading, std::size_t overlaps) {
  MinidumpFile& dump = reading.dump;
  add_note(dump, directory.entries_missing > 0, "minidump_directory_cut_off",
           fmt::format("{} streams are missing: the directory of the dump is cut off", directory.entries_missing));
  for (const std::uint32_t type : directory.twice)
    add_note(dump, true, "minidump_stream_twice",
             fmt::format("the stream {} is there more than once: the first is read", name_of_stream(type)));
  add_note(dump, reading.texts.lost > 0, "minidump_texts_missing",
           fmt::format("{} names are missing or broken", reading.texts.lost));
  add_note(dump, reading.bytes_cut > 0, "minidump_truncated",
           fmt::format("the dump is cut off: {} bytes of memory are missing", reading.bytes_cut));
  add_note(dump, overlaps > 0, "minidump_overlaps",
           fmt::format("{} pieces of memory overlap others in the dump", overlaps));
}

/// Brings the memory into order; returns how many of the lists' pieces overlap each other. Writers often dump a stack
/// for its thread and once more around an address in it: that is no contradiction.
std::size_t settle_memory(DumpReading& reading) {
  std::vector<DumpedMemory>& memory = reading.dump.memory;
  const auto drop_front = [](DumpedMemory& piece, std::uint64_t bytes) {
    piece.offset += bytes;
    piece.held -= std::min(bytes, piece.held);
  };
  const std::size_t overlaps = untangle(memory, drop_front);
  std::erase_if(reading.stacks, [&](const DumpedMemory& stack) {
    const DumpedMemory* piece = item_at(memory, stack.range.begin);
    return piece != nullptr && piece->range.contains(stack.range);
  });
  memory.insert(memory.end(), reading.stacks.begin(), reading.stacks.end());
  untangle(memory, drop_front);
  return overlaps;
}

}  // namespace

Result<MinidumpFile> read_minidump_file(const FileBytes& file) {
  std::array<std::byte, header_bytes> header{};
  if (!file.read_whole(0, header)) return fail(ErrorCode::Truncated, "too short for a minidump");
  if (number_at(header, 0, 4) != signature || number_at(header, 4, 2) != version)
    return fail(ErrorCode::Malformed, "not a minidump, or one of a version that is not known");
  const std::uint64_t count = *number_at(header, 8, 4);
  if (count == 0) return fail(ErrorCode::Malformed, "a minidump without any stream");
  const StreamDirectory directory = read_directory(file, *number_at(header, 12, 4), count);
  if (directory.entries_missing == count)
    return fail(ErrorCode::Truncated, "the minidump ends before its directory of streams");
  MinidumpFile dump;
  dump.target.kind = TargetKind::Minidump;
  dump.target.pointer_bits.reset();
  if (const auto time = *number_at(header, 20, 4); time != 0)
    dump.written_at_unix_ms = static_cast<std::int64_t>(time) * 1000;
  DumpReading reading{file, dump, TextReader(file), {}};
  read_streams(directory, reading);
  tell(directory, reading, settle_memory(reading));
  const std::uint64_t repeated = drop_repeated(dump.memory, file.size);
  add_note(dump, repeated > 0, "minidump_bytes_repeated",
           fmt::format("records lead to the same bytes of the dump again: {} bytes were left out", repeated));
  return dump;
}

}  // namespace vmscan
