// ThreadList, ThreadExList, ThreadInfoList, ThreadNames and Exception.
#include <algorithm>
#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/source/minidump/minidump_parts.h"

namespace vmscan {
namespace {

constexpr std::size_t thread_bytes = 48, thread_ex_bytes = 64, name_bytes = 12;
constexpr std::uint32_t context_invalid = 0x10;  // MINIDUMP_THREAD_INFO_INVALID_CONTEXT

/// Where CONTEXT of winnt.h keeps the stack pointer. Breakpad's contexts begin alike.
struct ContextLayout {
  std::string_view machine;
  std::uint64_t stack_pointer;
  unsigned width;
};
constexpr std::array<ContextLayout, 4> context_layouts{
    {{"x86_64", 0x98, 8}, {"i386", 0xc4, 4}, {"aarch64", 0x100, 8}, {"arm", 0x38, 4}}};

/// `location`: size and offset of a context. Unknown when it is not there or too short.
std::optional<Address> stack_pointer(const DumpReading& reading, RecordBytes location) {
  const std::uint64_t size = *number_at(location, 0, 4), offset = *number_at(location, 4, 4);
  std::array<std::byte, 8> bytes{};
  for (const ContextLayout& layout : context_layouts)
    if (layout.machine == reading.dump.target.machine && size >= layout.stack_pointer + layout.width &&
        reading.file.read_whole(offset + layout.stack_pointer, std::span(bytes).first(layout.width)))
      return number_at(bytes, 0, layout.width);
  return std::nullopt;
}

DumpedThread* find_thread(std::vector<DumpedThread>& threads, std::uint64_t id) {
  const auto at = std::partition_point(threads.begin(), threads.end(),
                                       [&](const DumpedThread& each) { return each.thread.id < id; });
  return at != threads.end() && at->thread.id == id ? &*at : nullptr;
}

}  // namespace

std::uint64_t read_threads(DumpReading& reading, const Stream& stream) {
  const std::size_t size = stream.type == stream_type::thread_ex_list ? thread_ex_bytes : thread_bytes;
  const auto list = simple_list(reading.file, stream, size);
  if (!list) return 1;
  std::vector<DumpedThread>& threads = reading.dump.threads;
  std::uint64_t lost = for_each_record(reading.file, *list, size, [&](RecordBytes record) {
    DumpedThread thread{.thread = {.id = *number32_at(record, 0), .name = {}, .stack_pointer = {}},
                        .teb = reading.address(*number_at(record, 16, 8)),
                        .stack_bytes = {}};
    thread.thread.stack_pointer = stack_pointer(reading, record.subspan(40, 8));
    const std::uint64_t begin = *number_at(record, 24, 8), bytes = *number_at(record, 32, 4);
    const auto stack = Range::make(reading.address(begin), bytes);
    const bool good =
        stack && (bytes == 0 || add_memory(reading, begin, bytes, *number_at(record, 36, 4), reading.stacks));
    if (good) thread.stack_bytes = *stack;
    threads.push_back(std::move(thread));
    return good;
  });
  std::stable_sort(threads.begin(), threads.end(),
                   [](const DumpedThread& a, const DumpedThread& b) { return a.thread.id < b.thread.id; });
  const auto same = [](const DumpedThread& a, const DumpedThread& b) { return a.thread.id == b.thread.id; };
  const auto twice = std::unique(threads.begin(), threads.end(), same);
  lost += static_cast<std::uint64_t>(threads.end() - twice);
  threads.erase(twice, threads.end());
  return lost;
}

std::uint64_t read_thread_info(DumpReading& reading, const Stream& stream) {
  const auto list = sized_list(reading.file, stream, 4, 8);
  if (!list) return 1;
  return for_each_record(reading.file, *list, 8, [&](RecordBytes record) {
    DumpedThread* thread = find_thread(reading.dump.threads, *number_at(record, 0, 4));
    if (thread != nullptr && (*number32_at(record, 4) & context_invalid) != 0) thread->thread.stack_pointer.reset();
    return true;  // threads that had ended are told here alone
  });
}

std::uint64_t read_thread_names(DumpReading& reading, const Stream& stream) {
  const auto list = simple_list(reading.file, stream, name_bytes);
  if (!list) return 1;
  return for_each_record(reading.file, *list, name_bytes, [&](RecordBytes record) {
    DumpedThread* thread = find_thread(reading.dump.threads, *number_at(record, 0, 4));
    const auto name = reading.texts.read(*number_at(record, 4, 8));
    if (thread != nullptr && name) thread->thread.name = *name;
    return name.has_value();
  });
}

std::uint64_t read_exception(DumpReading& reading, const Stream& stream) {
  const auto bytes = stream_bytes(reading.file, stream, 168);
  const auto address = number_at(bytes, 24, 8);
  if (!address) return 1;
  const std::uint32_t id = *number32_at(bytes, 0);
  reading.dump.exception =
      DumpedException{.thread = id, .code = *number32_at(bytes, 8), .address = reading.address(*address)};
  if (bytes.size() < 168) return 1;
  // The list of threads shows where the thread was when it wrote the dump.
  const auto pointer = stack_pointer(reading, std::span(bytes).subspan(160, 8));
  DumpedThread* thread = find_thread(reading.dump.threads, id);
  if (thread != nullptr && pointer) thread->thread.stack_pointer = pointer;
  return 0;
}

}  // namespace vmscan
