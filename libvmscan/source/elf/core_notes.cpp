#include "libvmscan/source/elf/core_notes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/elf/elf_layout.h"

namespace vmscan {
namespace {

using BytesView = std::span<const std::byte>;

constexpr std::uint64_t max_descriptor = 64 << 20;  // NT_FILE of a million mappings
constexpr std::size_t longest_path = 4096 + 10;     // PATH_MAX, and " (deleted)"
constexpr std::size_t max_threads = 1 << 20;        // far above the kernel's pid_max of 4 Mi on a machine that dumps

/// Where general registers are in struct elf_prstatus (include/linux/elfcore.h; user_regs_struct of each machine).
struct RegisterLayout {
  std::uint16_t machine;
  unsigned bits;
  std::size_t stack_pointer;  // index into the registers
};
constexpr std::array<RegisterLayout, 5> register_layouts{{{elf::em_x86_64, 64, 19},
                                                          {elf::em_386, 32, 15},
                                                          {elf::em_aarch64, 64, 31},
                                                          {elf::em_arm, 32, 13},
                                                          {elf::em_riscv, 64, 2}}};

std::string text_at(BytesView bytes, std::size_t offset, std::size_t size) {
  if (offset >= bytes.size()) return {};
  const BytesView part = bytes.subspan(offset, std::min(size, bytes.size() - offset));
  const auto* begin = reinterpret_cast<const char*>(part.data());
  return std::string(begin, std::find(begin, begin + part.size(), '\0'));
}

bool take_thread(BytesView bytes, CoreFile& core) {
  const bool wide = core.pointer_bits == 64;
  const std::size_t word = core.pointer_bits / 8, registers = wide ? 112 : 72;
  const auto id = number32_at(bytes, wide ? 32 : 24);
  if (!id || core.threads.size() >= max_threads) return false;
  Thread thread{.id = *id, .name = {}, .stack_pointer = {}};
  for (const RegisterLayout& layout : register_layouts)
    if (layout.machine == core.machine && layout.bits == core.pointer_bits)
      thread.stack_pointer = number_at(bytes, registers + layout.stack_pointer * word, word);
  core.threads.push_back(std::move(thread));
  return true;
}

bool take_process(BytesView bytes, CoreFile& core) {
  const bool wide = core.pointer_bits == 64;
  const auto user = wide ? number_at(bytes, 16, 4) : number_at(bytes, 8, 2);
  const auto pid = number32_at(bytes, wide ? 24 : 12), parent = number32_at(bytes, wide ? 28 : 16);
  if (!user || !pid || !parent) return false;
  core.process = CoreProcess{.pid = *pid,
                             .parent_pid = *parent,
                             .user_id = static_cast<std::uint32_t>(*user),
                             .name = text_at(bytes, wide ? 40 : 28, 16),
                             .command_line = text_at(bytes, wide ? 56 : 44, 80)};
  return true;
}

bool take_signal(BytesView bytes, CoreFile& core) {
  constexpr std::array<std::uint32_t, 5> about_an_address{4, 5, 7, 8, 11};  // ILL TRAP BUS FPE SEGV
  const auto number = number32_at(bytes, 0);
  const auto code = number32_at(bytes, 8);
  if (!number || !code) return false;
  if (*number == 0 || core.signal) return true;
  core.signal = CoreSignal{.number = *number, .address = {}};
  const bool by_kernel = static_cast<std::int32_t>(*code) > 0;
  const bool fault = std::find(about_an_address.begin(), about_an_address.end(), *number) != about_an_address.end();
  if (by_kernel && fault)
    core.signal->address = number_at(bytes, core.pointer_bits == 64 ? 16 : 12, core.pointer_bits / 8);
  return true;
}

/// count, page size, count × (start, end, offset in pages), count × name with its NUL (fill_files_note()).
bool take_files(BytesView bytes, CoreFile& core) {
  const std::size_t word = core.pointer_bits / 8;
  const auto count = number_at(bytes, 0, word), page = number_at(bytes, word, word);
  if (!count || !page || *count > (bytes.size() - 2 * word) / (3 * word + 1)) return false;
  if (*page != 0) core.page_size = *page;
  std::size_t name = 2 * word + static_cast<std::size_t>(*count) * 3 * word;
  bool whole = true;
  for (std::size_t i = 0; i < *count; ++i) {
    const std::size_t at = 2 * word + i * 3 * word;
    const Address begin = *number_at(bytes, at, word), end = *number_at(bytes, at + word, word);
    const std::uint64_t pages = *number_at(bytes, at + 2 * word, word);
    if (name >= bytes.size()) return false;
    std::string path = text_at(bytes, name, bytes.size() - name);
    name += path.size() + 1;
    path.resize(std::min(path.size(), longest_path));
    const bool fits = end > begin && (*page == 0 || pages <= ~std::uint64_t{0} / *page);
    whole &= fits;
    if (fits) core.files.push_back({{begin, end}, pages * *page, std::move(path)});
  }
  return whole;
}

bool take_note(std::uint32_t type, BytesView bytes, CoreFile& core) {
  switch (type) {
    case elf::nt_prstatus:
      return take_thread(bytes, core);
    case elf::nt_prpsinfo:
      return take_process(bytes, core);
    case elf::nt_siginfo:
      return take_signal(bytes, core);
    case elf::nt_file:
      return take_files(bytes, core);
    case elf::nt_auxv:
      core.auxiliary.assign(bytes.begin(), bytes.end());
      return true;
    default:
      return true;
  }
}

bool wanted(std::uint32_t type) {
  return type == elf::nt_prstatus || type == elf::nt_prpsinfo || type == elf::nt_siginfo || type == elf::nt_file ||
         type == elf::nt_auxv;
}

}  // namespace

std::size_t read_core_notes(const FileBytes& file, std::uint64_t offset, std::uint64_t size, CoreFile& core) {
  std::size_t broken = 0;
  std::vector<std::byte> descriptor;
  const auto aligned = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  while (size >= sizeof(elf::NoteHeader)) {
    std::array<std::byte, sizeof(elf::NoteHeader) + 5> head{};  // with the name "CORE"
    if (!file.read_whole(offset, std::span(head).first(sizeof(elf::NoteHeader)))) return broken + 1;
    const std::uint32_t name_size = *number32_at(head, 0), bytes = *number32_at(head, 4), type = *number32_at(head, 8);
    const std::uint64_t before = sizeof(elf::NoteHeader) + aligned(name_size);
    if (before > size || bytes > size - before) return broken + 1;
    const bool is_core = name_size == 5 && file.read_whole(offset, head) && text_at(head, 12, 5) == "CORE";
    if (is_core && wanted(type)) {
      const bool readable = bytes <= max_descriptor && bytes <= file.size;
      if (readable) descriptor.resize(bytes);
      const bool good = readable && file.read_whole(offset + before, descriptor) && take_note(type, descriptor, core);
      broken += !good;
    }
    const std::uint64_t step = std::min(size, before + aligned(bytes));
    offset += step;
    size -= step;
  }
  return broken;
}

}  // namespace vmscan
