#include "cli/commands/strings_output.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan::cli {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;

/// Cuts lines off behind the first `count`.
void keep_lines(std::string& text, std::uint64_t count) {
  std::size_t end = 0;
  while (count-- > 0) end = text.find('\n', end) + 1;
  text.resize(end);
}

}  // namespace

Expected<StringsOutput> StringsOutput::open(const StringsArguments& arguments, const StringsSettings& settings) {
  StringsOutput output(settings);
  if (arguments.output.empty()) return output;
  auto file = NewFile::open(arguments.output, arguments.force ? Existing::Replace : Existing::Refuse);
  if (!file) return std::unexpected(file.error());
  output.file_ = std::move(*file);
  return output;
}

bool StringsOutput::add(const std::string& head, std::string& lines, std::uint64_t count) {
  const auto& limit = settings_->limit;
  const std::uint64_t taken = limit ? std::min(*limit - shown_, count) : count;
  if (taken == 0) return !limit || shown_ < *limit;
  if (taken < count && !settings_->count) keep_lines(lines, taken);
  shown_ += taken;
  if (!settings_->count) {
    std::string_view text = lines;
    if (!begun_) {
      if (settings_->style.format == formats::StringsFormat::Json) text.remove_prefix(1);  // the comma
      buffer_ = head;
    }
    if (!write(text)) return false;
  }
  return !limit || shown_ < *limit;
}

bool StringsOutput::write(std::string_view text) {
  if (buffer_.empty() && text.size() >= buffer_bytes) {
    put(text);
    begun_ = true;
    return !closed_ && !failure_;
  }
  buffer_ += text;
  if (!begun_ || settings_->on_terminal || buffer_.size() >= buffer_bytes) flush();
  begun_ = true;
  return !closed_ && !failure_;
}

void StringsOutput::put(std::string_view text) {
  if (failure_ || closed_) return;
  if (const auto done = file_ ? file_->write(text) : write_stdout(text, &closed_); !done) failure_ = done.error();
}

void StringsOutput::flush() {
  put(buffer_);
  buffer_.clear();
}

std::optional<Failure> StringsOutput::finish(const std::string& head, std::string_view tail) {
  if (settings_->count)
    buffer_ = fmt::format("{}\n", shown_);
  else if (!begun_ && settings_->style.format != formats::StringsFormat::Table)
    buffer_ = head;
  if (!settings_->count) buffer_ += tail;
  flush();
  if (!failure_ && file_)
    if (const auto done = file_->finish(); !done) failure_ = done.error();
  return failure_;
}

}  // namespace vmscan::cli
