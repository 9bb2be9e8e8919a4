// What standard C++ alone can do of cli/system.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "cli/platform/system.h"

namespace vmscan::cli {

bool stdout_is_terminal() { return false; }
bool stderr_is_terminal() { return false; }
std::optional<std::size_t> terminal_width() { return std::nullopt; }
void keep_freed_memory() {}
void ignore_broken_pipes() {}

Expected<void> write_stdout(std::string_view text, bool* closed) {
  if (closed != nullptr) *closed = false;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return failure(exit_usage, "standard output: cannot be written");
  return {};
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Expected<std::string> read_file(const std::string& path) {
  std::string text;
  if (path == "-") {
    char buffer[4096];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) text.append(buffer, n);
    return text;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(exit_usage, fmt::format("{}: cannot be read", path));
  text.assign(std::istreambuf_iterator<char>(file), {});
  return text;
}

Expected<ReadNext> open_input(const std::string& path) {
  auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  return [text = std::move(*text), at = std::size_t{0}](std::span<std::byte> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(buffer.size(), text.size() - at);
    std::copy_n(std::as_bytes(std::span(text)).begin() + static_cast<std::ptrdiff_t>(at), count, buffer.begin());
    at += count;
    return count;
  };
}

Expected<void> check_output(const std::string& path, Existing existing) {
  if (existing == Existing::Refuse && file_exists(path))
    return failure(exit_usage, fmt::format("{}: the file exists: --force replaces it", path));
  return {};
}

Expected<void> write_file(const std::string& path, std::string_view text, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return checked;
  const std::string temporary = path + ".tmp";
  std::error_code error;
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  const std::string why = error.message();
  std::filesystem::remove(temporary, error);
  return failure(exit_usage, fmt::format("{}: {}", path, why));
}

std::FILE* open_temporary_file() { return std::tmpfile(); }

struct NewFile::State {
  std::ofstream file;
  std::string path, temporary;
};

NewFile::NewFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
NewFile::NewFile(NewFile&&) noexcept = default;
NewFile& NewFile::operator=(NewFile&&) noexcept = default;
NewFile::~NewFile() {
  if (!state_ || state_->temporary.empty()) return;
  state_->file.close();
  std::error_code error;
  std::filesystem::remove(state_->temporary, error);
}

Expected<NewFile> NewFile::open(const std::string& path, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return std::unexpected(checked.error());
  auto state = std::make_unique<State>();
  state->path = path;
  state->temporary = path + ".tmp";
  state->file.open(state->temporary, std::ios::binary | std::ios::trunc);
  if (!state->file) return failure(exit_usage, fmt::format("{}: cannot be written", path));
  return NewFile(std::move(state));
}

Expected<void> NewFile::write(std::string_view text) {
  state_->file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!state_->file) return failure(exit_usage, fmt::format("{}: cannot be written", state_->path));
  return {};
}

Expected<void> NewFile::finish() {
  state_->file.close();
  std::error_code error;
  if (state_->file) std::filesystem::rename(state_->temporary, state_->path, error);
  if (!state_->file || error) return failure(exit_usage, fmt::format("{}: cannot be written", state_->path));
  state_->temporary.clear();
  return {};
}

struct SeriesFile::State {
  std::ofstream file;
  std::string path;
};

SeriesFile::SeriesFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SeriesFile::SeriesFile(SeriesFile&&) noexcept = default;
SeriesFile& SeriesFile::operator=(SeriesFile&&) noexcept = default;
SeriesFile::~SeriesFile() = default;

Expected<SeriesFile> SeriesFile::open(const std::string& path, Existing existing) {
  if (auto checked = check_output(path, existing); !checked) return std::unexpected(checked.error());
  auto state = std::make_unique<State>();
  state->path = path;
  state->file.open(path, std::ios::binary | (existing == Existing::Append ? std::ios::app : std::ios::trunc));
  if (!state->file) return failure(exit_usage, fmt::format("{}: cannot be written", path));
  return SeriesFile(std::move(state));
}

Expected<void> SeriesFile::append(std::string_view line) {
  state_->file.write(line.data(), static_cast<std::streamsize>(line.size())).flush();
  if (!state_->file) return failure(exit_usage, fmt::format("{}: cannot be written", state_->path));
  return {};
}

void watch_interrupts() {}
void catch_interrupts() {}
bool interrupted() { return false; }
int interrupt_exit_code() { return exit_usage; }

Expected<Child> Child::start(const std::vector<std::string>&) {
  return failure(exit_usage, "programs cannot be started on this system yet");
}
std::optional<int> Child::status() { return status_; }
int Child::wait() { return exit_usage; }

void wait_until(Clock::time_point deadline, Child*) { std::this_thread::sleep_until(deadline); }

}  // namespace vmscan::cli
