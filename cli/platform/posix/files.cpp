#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "cli/platform/posix/interrupts.h"
#include "libvmscan/base/posix/nameless_file.h"

namespace vmscan::cli {
namespace {

std::unexpected<Failure> file_failure(const std::string& path, int number) {
  const bool denied = number == EACCES || number == EPERM;
  return failure(denied ? exit_permission : exit_usage, fmt::format("{}: {}", path, std::strerror(number)));
}

/// Returns errno, or 0.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

/// Not every file can be flushed to a disk (a pipe, some file systems); that is no failure.
int flush(int fd) { return ::fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP ? 0 : errno; }

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// Of one that is not open.
  void open(const std::string& path, int flags) { fd_ = ::open(path.c_str(), flags, 0666); }
  int close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

bool is_other_than_regular(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

Expected<void> write_directly(const std::string& path, std::string_view text) {
  const File file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return file_failure(path, errno);
  if (const int number = write_all(file.get(), text); number != 0 && number != EPIPE) return file_failure(path, number);
  return {};
}

/// A link is followed, so that what it points to is replaced and not the link.
std::string real_path(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

/// Gives the flushed temporary file its name, or takes it away when that fails. Returns errno, or 0.
int give_name(const std::string& temporary, const std::string& path, bool replace) {
  int number = 0;
  if (replace && ::rename(temporary.c_str(), path.c_str()) != 0) number = errno;
  if (!replace && ::link(temporary.c_str(), path.c_str()) != 0) {
    // link() never replaces a file that came meanwhile; where there are no hard links, rename() has to do.
    const bool no_links = errno == EPERM || errno == ENOTSUP || errno == EMLINK;
    number = no_links ? (::rename(temporary.c_str(), path.c_str()) == 0 ? 0 : errno) : errno;
  }
  if (number != 0 || !replace) ::unlink(temporary.c_str());
  return number;
}

int write_and_rename(const std::string& path, const std::string& temporary, std::string_view text, bool replace) {
  const Unfinished unfinished(temporary);
  File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) return errno;
  int number = write_all(file.get(), text);
  if (number == 0) number = flush(file.get());
  if (const int closed = file.close(); number == 0) number = closed;
  if (number != 0) ::unlink(temporary.c_str());
  return number == 0 ? undisturbed([&] { return give_name(temporary, path, replace); }) : number;
}

std::string temporary_name(const std::string& target) { return fmt::format("{}.{}.tmp", target, ::getpid()); }

}  // namespace

Expected<void> write_stdout(std::string_view text, bool* closed) {
  const int number = write_all(STDOUT_FILENO, text);
  if (closed != nullptr) *closed = number == EPIPE;
  if (number != 0 && number != EPIPE) return file_failure("standard output", number);
  return {};
}

bool file_exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

Expected<std::string> read_file(const std::string& path) {
  const bool standard_input = path == "-";
  const File file(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return file_failure(path, errno);
  struct stat status {};
  std::string text;
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) return file_failure(path, EISDIR);
  std::size_t size = 0;
  text.resize(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : std::size_t{1} << 16);
  for (;;) {
    if (size == text.size()) text.resize(text.size() * 2);
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_failure(standard_input ? "standard input" : path, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

Expected<ReadNext> open_input(const std::string& path) {
  const bool standard_input = path == "-";
  auto file = std::make_shared<const File>(standard_input ? ::dup(STDIN_FILENO)
                                                          : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file->get() < 0) return file_failure(path, errno);
  struct stat status {};
  if (::fstat(file->get(), &status) == 0 && S_ISDIR(status.st_mode)) return file_failure(path, EISDIR);
  return [file](std::span<std::byte> buffer) -> Result<std::size_t> {
    for (;;) {
      const ssize_t n = ::read(file->get(), buffer.data(), buffer.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return fail(ErrorCode::Io, std::strerror(errno));
    }
  };
}

Expected<void> check_output(const std::string& path, Existing existing) {
  if (is_other_than_regular(path)) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return file_failure(path, EISDIR);
    return {};
  }
  if (existing == Existing::Refuse && file_exists(path))
    return failure(exit_usage, fmt::format("{}: the file exists: --force replaces it", path));
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (::access((directory + "/.").c_str(), W_OK | X_OK) != 0) return file_failure(path, errno);
  return {};
}

Expected<void> write_file(const std::string& path, std::string_view text, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return checked;
  if (is_other_than_regular(path)) return write_directly(path, text);
  const std::string target = real_path(path);
  const std::string temporary = temporary_name(target);
  ::unlink(temporary.c_str());
  if (const int number = write_and_rename(target, temporary, text, existing == Existing::Replace))
    return file_failure(path, number);
  return {};
}

std::FILE* open_temporary_file() {
  const int fd = open_nameless(temporary_directory());
  if (fd < 0) return nullptr;
  std::FILE* const file = ::fdopen(fd, "w+b");
  if (file == nullptr) ::close(fd);
  return file;
}

struct NewFile::State {
  State(std::string name, std::string final_name, bool is_new)
      : temporary(std::move(name)), path(std::move(final_name)), replace(!is_new) {
    if (!temporary.empty()) unfinished.emplace(temporary);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }
  std::optional<Unfinished> unfinished;
  File file{-1};
  std::string temporary;  // empty: no regular file, or it has its name
  std::string path;
  bool replace;
};

NewFile::NewFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
NewFile::NewFile(NewFile&&) noexcept = default;
NewFile& NewFile::operator=(NewFile&&) noexcept = default;
NewFile::~NewFile() = default;

Expected<NewFile> NewFile::open(const std::string& path, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return std::unexpected(checked.error());
  const bool direct = is_other_than_regular(path);
  const std::string target = direct ? path : real_path(path),
                    temporary = direct ? std::string() : temporary_name(target);
  const int flags = direct ? O_WRONLY | O_CLOEXEC | O_NOCTTY : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  if (!direct) ::unlink(temporary.c_str());
  auto state = std::make_unique<State>(temporary, target, existing == Existing::Refuse);
  state->file.open(direct ? path : temporary, flags);
  if (state->file.get() < 0) return file_failure(path, errno);
  return NewFile(std::move(state));
}

Expected<void> NewFile::write(std::string_view text) {
  const int number = write_all(state_->file.get(), text);
  if (number != 0 && number != EPIPE) return file_failure(state_->path, number);
  return {};
}

Expected<void> NewFile::finish() {
  if (state_->temporary.empty()) return {};
  int number = flush(state_->file.get());
  if (const int closed = state_->file.close(); number == 0) number = closed;
  if (number == 0) {
    number = undisturbed([&] { return give_name(state_->temporary, state_->path, state_->replace); });
    state_->temporary.clear();
  }
  if (number != 0) return file_failure(state_->path, number);
  return {};
}

struct SeriesFile::State {
  State(int fd, std::string name, bool is_new) : file(fd), path(std::move(name)), created(is_new) {}
  File file;
  std::string path;
  bool created;  // it was not there before, and holds nothing yet
};

SeriesFile::SeriesFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SeriesFile::SeriesFile(SeriesFile&&) noexcept = default;
SeriesFile& SeriesFile::operator=(SeriesFile&&) noexcept = default;
SeriesFile::~SeriesFile() = default;

Expected<SeriesFile> SeriesFile::open(const std::string& path, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return std::unexpected(checked.error());
  int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
  if (is_other_than_regular(path))
    flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;
  else if (existing == Existing::Refuse)
    flags |= O_EXCL;
  else if (existing == Existing::Replace)
    flags |= O_TRUNC;
  const bool created = !file_exists(path);
  auto state = std::make_unique<State>(::open(path.c_str(), flags, 0666), path, created);
  const int fd = state->file.get();
  if (fd < 0) return file_failure(path, errno);
  // A line that an earlier capture was killed in stays a line of its own.
  const off_t size = ::lseek(fd, 0, SEEK_END);
  char last = '\n';
  const bool lines = !path.ends_with(".zst");  // there, each snapshot is a frame
  if (lines && existing == Existing::Append && size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n')
    if (const int number = write_all(fd, "\n")) return file_failure(path, number);
  return SeriesFile(std::move(state));
}

Expected<void> SeriesFile::append(std::string_view line) {
  const int fd = state_->file.get();
  const off_t before = ::lseek(fd, 0, SEEK_END);
  int number = undisturbed([&] { return write_all(fd, line); });
  if (number == 0) number = flush(fd);
  if (number == 0) {
    state_->created = false;
    return {};
  }
  if (state_->created) ::unlink(state_->path.c_str());
  const bool cut = is_other_than_regular(state_->path) || ::ftruncate(fd, before) == 0;
  if (!cut) return file_failure(state_->path + " (its last line is not whole)", number);
  return file_failure(state_->path, number);
}

}  // namespace vmscan::cli
