// A series is JSON Lines. A capture that was killed leaves a last line without its end; a file that was continued after
// that may hold such a line in the middle. A single snapshot may also stand on many lines, as a formatter leaves it.
#include <fmt/format.h>

#include <algorithm>

#include "formats/native/snapshot_json.h"

namespace vmscan::formats {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(white_space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(white_space) + 1 - begin);
}

std::string_view without_mark(std::string_view text) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text;
}

/// Whether `text` is one object to its last brace; looks at braces and strings only.
bool is_closed_object(std::string_view text) {
  if (!text.starts_with('{')) return false;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1 == text.size();
    }
  }
  return false;
}

struct Line {
  std::string_view text;  // trimmed
  std::size_t number = 0;
  bool ended = false;  // by an LF
};

/// Lines that hold something.
std::vector<Line> split(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const bool ended = end != std::string_view::npos;
    const std::string_view line = trimmed(text.substr(0, end));
    if (!line.empty()) lines.push_back({line, number, ended});
    text.remove_prefix(ended ? end + 1 : text.size());
  }
  return lines;
}

/// A line is written with its LF at once, so one that has it and ends with a brace is whole; only a last line without
/// LF needs a look at every byte.
bool is_whole(const Line& line) {
  if (!line.text.starts_with('{') || !line.text.ends_with('}')) return false;
  return line.ended || is_closed_object(line.text);
}

Note note_on_torn_lines(std::size_t first, std::size_t count) {
  return {"torn_line", count == 1 ? fmt::format("line {} is not a whole snapshot; it was left out", first)
                                  : fmt::format("{} lines are not whole snapshots, the first is line {}; "
                                                "they were left out",
                                                count, first)};
}

}  // namespace

bool looks_like_snapshot(std::string_view text) {
  text = without_mark(text);
  const auto skip = [&text] { text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size())); };
  skip();
  if (!text.starts_with('{')) return false;
  text.remove_prefix(1);
  skip();
  return text.starts_with("\"schema\"");
}

Result<Series> Series::open(std::string text) {
  Series series;
  series.text_ = std::move(text);
  const std::string_view all = trimmed(without_mark(series.text_));
  if (all.empty()) return fail(ErrorCode::Truncated, "the file is empty");
  const auto add = [&series](std::string_view line) {
    series.lines_.emplace_back(static_cast<std::size_t>(line.data() - series.text_.data()), line.size());
  };
  const std::vector<Line> lines = split(without_mark(series.text_));
  if (!is_whole(lines.front()) && is_closed_object(all)) {
    add(all);
    return series;
  }
  std::size_t torn = 0, first_torn = 0;
  for (const Line& line : lines) {
    if (is_whole(line)) {
      add(line.text);
    } else if (torn++ == 0) {
      first_torn = line.number;
    }
  }
  if (series.lines_.empty()) {
    if (all.starts_with('{')) return fail(ErrorCode::Truncated, "the file ends in the middle of a snapshot");
    return fail(ErrorCode::Malformed, "this is not a snapshot file");
  }
  if (torn != 0) series.notes_.push_back(note_on_torn_lines(first_torn, torn));
  return series;
}

Result<Snapshot> Series::at(std::size_t index) const {
  if (index >= lines_.size()) {
    return fail(ErrorCode::NotFound, fmt::format("there is no snapshot {}; the file holds {}", index, lines_.size()));
  }
  const auto [offset, length] = lines_[index];
  auto snapshot = read_snapshot(std::string_view(text_).substr(offset, length));
  if (!snapshot && lines_.size() > 1) {
    return fail(snapshot.error().code, fmt::format("snapshot {}: {}", index, snapshot.error().message));
  }
  if (snapshot) snapshot->notes.insert(snapshot->notes.end(), notes_.begin(), notes_.end());
  return snapshot;
}

}  // namespace vmscan::formats
