#include "libvmscan/source/linux/mapped_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libvmscan/base/posix/read_at.h"
#include "libvmscan/source/linux/mapped_file.h"

namespace vmscan {
namespace {

constexpr std::chrono::milliseconds patience{2000};
constexpr std::chrono::seconds until_next_try{60};
constexpr std::size_t block_bytes = 256 << 10;  // of a file, that the helper reads at once

std::uint64_t size_of(const Fd& fd) {
  struct stat status {};
  return ::fstat(fd.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

FileBytes bytes_of(Fd fd) {
  const std::uint64_t size = size_of(fd);
  return bytes_of_descriptor(fd.release(), size);
}

}  // namespace

/// What the helper gets, with a path behind it.
struct MappedFiles::Request {
  enum class Kind : std::uint8_t { Size, Read, IsThere, Text };
  Kind kind = Kind::Size;
  Range range;
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0, size = 0;

  Request(Kind what, const Mapping& mapping)
      : kind(what),
        range(mapping.range),
        device_major(mapping.device_major),
        device_minor(mapping.device_minor),
        inode(mapping.inode) {}
  Request() = default;
};

MappedFiles::MappedFiles(const ProcDir& proc)
    : proc_(proc),
      helper_(std::make_shared<HelperProcess>([this](std::string_view request) { return serve(request); }, patience)) {}

void MappedFiles::take_mounts(std::string_view mountinfo) {
  mounts_ = parse_mounts(mountinfo);
  const std::lock_guard guard(lock_);
  left_out_.clear();
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(silent_, [&](const auto& item) { return now - item.second > until_next_try; });
}

/// Its files have a mount of their own, which no list of mounts has.
void MappedFiles::take_shared_memory() {
  const Fd own(static_cast<int>(::syscall(SYS_memfd_create, "vmscan", MFD_CLOEXEC)));
  struct statx status {};
  if (!own.valid() || ::statx(own.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0) return;
  mounts_.local_devices.emplace(status.stx_dev_major, status.stx_dev_minor);
  mounts_.local_ids.insert(status.stx_mnt_id);
}

/// In the helper.
std::string MappedFiles::serve(std::string_view request) const {
  Request asked;
  if (request.size() < sizeof asked) return {};
  std::memcpy(static_cast<void*>(&asked), request.data(), sizeof asked);
  const std::string path(request.substr(sizeof asked));
  if (asked.kind == Request::Kind::Text)
    return proc_.read(path, static_cast<std::size_t>(asked.size)).value_or(std::string{});
  Mapping mapping;
  mapping.range = asked.range;
  mapping.device_major = asked.device_major;
  mapping.device_minor = asked.device_minor;
  mapping.inode = asked.inode;
  mapping.path = path;
  if (asked.kind == Request::Kind::IsThere) return vmscan::is_there(proc_, mapping, path) ? "yes" : "";
  static std::map<FileKey, Fd> open;
  const auto [file, fresh] = open.try_emplace(key_of(mapping));
  if (fresh) file->second = open_mapped_file(proc_, mapping);
  if (!file->second.valid()) return {};
  if (asked.kind == Request::Kind::Size) {
    const std::uint64_t size = size_of(file->second);
    return {reinterpret_cast<const char*>(&size), sizeof size};
  }
  std::string bytes(std::min<std::uint64_t>(asked.size, block_bytes), '\0');
  bytes.resize(read_at(file->second.get(), asked.offset, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

std::optional<std::string> MappedFiles::ask(const Request& request, std::string_view path,
                                            const Mapping* mapping) const {
  const std::pair device{request.device_major, request.device_minor};
  const auto leave_out = [&] {
    if (mapping != nullptr && std::ranges::find(left_out_, path) == left_out_.end()) left_out_.emplace_back(path);
    return std::nullopt;
  };
  {
    const std::lock_guard guard(lock_);
    if (mapping != nullptr && silent_.contains(device)) return leave_out();
  }
  auto answer = helper_->ask(std::string(reinterpret_cast<const char*>(&request), sizeof request).append(path));
  if (answer) return answer;
  const std::lock_guard guard(lock_);
  if (mapping != nullptr) silent_[device] = std::chrono::steady_clock::now();
  return leave_out();
}

/// Where the name leads, as far as the kernel knows it without asking a file system (RESOLVE_CACHED, Linux 5.12): names
/// of what is mapped are known.
bool MappedFiles::leads_to_local(int directory, const std::string& path, std::uint64_t resolve) const {
  const open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = resolve};
  const Fd fd(static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
  if (!fd.valid())  // known, too
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES || errno == EPERM;
  struct statx status {};
  return ::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) == 0 &&
         (status.stx_mask & STATX_MNT_ID) != 0 && mounts_.local_ids.contains(status.stx_mnt_id);
}

bool MappedFiles::may_wait(const Mapping& mapping, const std::string& path) const {
  if (mounts_.all_local && mounts_.local_devices.contains({mapping.device_major, mapping.device_minor})) return false;
  const Fd root(::openat(proc_.fd(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string below = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  const std::string link = fmt::format("map_files/{:x}-{:x}", mapping.range.begin, mapping.range.end);
  return !leads_to_local(root.get(), below, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_CACHED) ||
         !leads_to_local(proc_.fd(), link, 0);
}

std::optional<FileBytes> MappedFiles::open(const Mapping& mapping) const {
  if (!may_wait(mapping, mapping.path)) {
    Fd fd = open_mapped_file(proc_, mapping);
    return fd.valid() ? std::optional(bytes_of(std::move(fd))) : std::nullopt;
  }
  const auto answer = ask(Request(Request::Kind::Size, mapping), mapping.path, &mapping);
  FileBytes file;
  if (!answer || answer->size() != sizeof file.size) return std::nullopt;
  std::memcpy(&file.size, answer->data(), sizeof file.size);
  file.read = [this, mapping, block = std::make_shared<std::pair<std::uint64_t, std::string>>(),
               lock = std::make_shared<std::mutex>()](std::uint64_t offset, std::span<std::byte> buffer) {
    const std::lock_guard guard(*lock);
    std::size_t done = 0;
    while (done < buffer.size()) {
      const std::uint64_t at = offset + done, begin = at / block_bytes * block_bytes;
      if (block->second.empty() || block->first != begin) {
        Request request(Request::Kind::Read, mapping);
        request.offset = begin;
        request.size = block_bytes;
        *block = {begin, ask(request, mapping.path, &mapping).value_or(std::string{})};
      }
      const std::size_t into = static_cast<std::size_t>(at - begin);
      if (into >= block->second.size()) break;
      const std::size_t count = std::min(block->second.size() - into, buffer.size() - done);
      std::memcpy(buffer.data() + done, block->second.data() + into, count);
      done += count;
    }
    return done;
  };
  return file;
}

bool MappedFiles::is_there(const Mapping& mapping, const std::string& path) const {
  if (!may_wait(mapping, path)) return vmscan::is_there(proc_, mapping, path);
  return ask(Request(Request::Kind::IsThere, mapping), path, &mapping) == "yes";
}

std::optional<std::string> MappedFiles::read_text(const std::string& name, std::size_t most_bytes) const {
  Request request;
  request.kind = Request::Kind::Text;
  request.size = most_bytes;
  return ask(request, name, nullptr);
}

std::vector<Note> MappedFiles::notes() const {
  const std::lock_guard guard(lock_);
  if (left_out_.empty()) return {};
  return {{"files_unanswered",
           fmt::format("{}{} left out: {} did not answer within {} s", left_out_.front(),
                       left_out_.size() > 1 ? fmt::format(" and {} other files were", left_out_.size() - 1) : " was",
                       left_out_.size() > 1 ? "their file system" : "its file system",
                       std::chrono::duration_cast<std::chrono::seconds>(patience).count())}};
}

}  // namespace vmscan
