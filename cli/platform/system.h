// What the program needs of the operating system beside the library: terminal, files, signals, child processes.
// Implemented once per system; the build chooses the file.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "libvmscan/base/file_bytes.h"

namespace vmscan::cli {

bool stdout_is_terminal();
bool stderr_is_terminal();
/// Columns of the terminal on stdout; nothing when it is none.
std::optional<std::size_t> terminal_width();

/// Memory that was freed shall be used again before the system is asked for more: a fault of a page of our own takes
/// longer than reading a page of a target.
void keep_freed_memory();

/// A closed pipe shall be a write error, not a death by signal.
void ignore_broken_pipes();

/// Writes all of it. A pipe whose reader is gone is not an error: `*closed` is set then.
Expected<void> write_stdout(std::string_view text, bool* closed = nullptr);

/// Reads a whole file, "-" is standard input. Failures name the file.
Expected<std::string> read_file(const std::string& path);
/// What comes next of a file that is read once, "-" is standard input.
Expected<ReadNext> open_input(const std::string& path);
bool file_exists(const std::string& path);

enum class Existing { Refuse, Replace, Append };

/// Writes a file as a whole: to a temporary name beside it, flushed, then renamed. Until then there is nothing new to
/// see, and nothing is left behind on failure. What is no regular file (a device, a pipe) is written to directly.
Expected<void> write_file(const std::string& path, std::string_view text, Existing existing);

/// A new file that is written piece by piece and appears as a whole: under a temporary name until finish(). Without
/// that it leaves nothing behind. What is no regular file is written to directly.
class NewFile {
 public:
  static Expected<NewFile> open(const std::string& path, Existing existing);
  NewFile(NewFile&&) noexcept;
  NewFile& operator=(NewFile&&) noexcept;
  ~NewFile();
  Expected<void> write(std::string_view text);
  Expected<void> finish();

 private:
  struct State;
  explicit NewFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Where temporary files go: TMPDIR or, without that, /var/tmp, which is on a disk more often than /tmp.
inline std::string temporary_directory() {
  const char* chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
}
/// An empty file there for what does not fit into memory, without a name, gone when it is closed. Null when it cannot
/// be made (errno).
std::FILE* open_temporary_file();

/// Refuses early, before a long run, what write_file() or SeriesFile would refuse at its end.
Expected<void> check_output(const std::string& path, Existing existing);

/// A file that grows by whole lines, each on disk before the next begins.
class SeriesFile {
 public:
  static Expected<SeriesFile> open(const std::string& path, Existing existing);
  SeriesFile(SeriesFile&&) noexcept;
  SeriesFile& operator=(SeriesFile&&) noexcept;
  ~SeriesFile();
  /// `line` ends with LF. When it cannot be written whole (a full disk), the file is cut back to the line before.
  Expected<void> append(std::string_view line);

 private:
  struct State;
  explicit SeriesFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// From now on the first Ctrl-C, SIGTERM or SIGHUP ends the program with the exit code 128 + its number, and nothing
/// that is not whole stays behind; but see catch_interrupts() and Child. To be called before any other thread is
/// started.
void watch_interrupts();
/// From now on the first one sets a mark that interrupted() shows and that ends wait_until(): the command has nearly a
/// second to end by itself. The second one ends it at once.
void catch_interrupts();
bool interrupted();
/// Once interrupted: 128 + the number of the signal.
int interrupt_exit_code();

using Clock = std::chrono::steady_clock;

/// A program that was started to be looked at. It is waited for at the end. Interrupts are passed on to it, and the
/// command ends when it does, however many come.
class Child {
 public:
  /// Starts it; returns once it really is that program. Failure: not found or not executable.
  static Expected<Child> start(const std::vector<std::string>& command);
  std::uint32_t pid() const { return pid_; }
  /// Its exit status as a shell tells it (128 + signal); nothing while it runs.
  std::optional<int> status();
  /// Waits for its end.
  int wait();

 private:
  explicit Child(std::uint32_t pid) : pid_(pid) {}
  std::uint32_t pid_;
  std::optional<int> status_;
};

/// Sleeps until then, or until an interrupt, or until `child` (may be null) has ended.
void wait_until(Clock::time_point deadline, Child* child);

}  // namespace vmscan::cli
