#include "cli/commands/strings_base.h"

#include <fmt/format.h>

#include <fstream>

#include "formats/native/strings_lines.h"
#include "formats/views/text.h"

namespace vmscan::cli {
namespace {

constexpr std::size_t read_bytes = 1 << 20, longest_line = std::size_t{16} << 20;

Failure bad_line(const std::string& path, std::uint64_t number) {
  return {exit_usage,
          fmt::format("{} line {}: not a string of 'vmscan strings --jsonl'", formats::quote(path), number)};
}

/// Calls `take` with each line; false: it does not want more.
class LineFile {
 public:
  explicit LineFile(const std::string& path) : path_(path), file_(path, std::ios::binary) {}
  bool good() const { return file_.good(); }

  template <class Take>
  Expected<void> each(const Take& take) {
    std::string held;
    std::uint64_t number = 0;
    for (bool more = true; more;) {
      const std::size_t old = held.size();
      held.resize(old + read_bytes);
      file_.read(held.data() + old, read_bytes);
      held.resize(old + static_cast<std::size_t>(file_.gcount()));
      more = held.size() > old;
      if (!more && !held.empty()) held += '\n';
      std::size_t begin = 0;
      for (std::size_t end; (end = held.find('\n', begin)) != std::string::npos; begin = end + 1)
        if (const auto done = take(std::string_view(held).substr(begin, end - begin), ++number); !done) return done;
      held.erase(0, begin);
      if (held.size() > longest_line) return std::unexpected(bad_line(path_, number + 1));
    }
    return {};
  }

 private:
  std::string path_;
  std::ifstream file_;
};

/// Whether a file begins with a line that vmscan strings --jsonl could have written, or has none and is called so.
bool is_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (path.ends_with(".jsonl") && file.peek() == std::ifstream::traits_type::eof()) return file.is_open();
  constexpr std::string_view begin = "{\"address\":\"0x";
  std::string start(begin.size(), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file && start == begin;
}

Expected<void> exclude_lines(const std::string& path, StringsFlow& flow) {
  LineFile file(path);
  return file.each([&](std::string_view line, std::uint64_t number) -> Expected<void> {
    const auto string = formats::parse_string_line(line);
    if (!string) return std::unexpected(bad_line(path, number));
    StringRecord record;
    record.encoding = string->encoding;
    record.hash = hash_text(string->text, string->encoding);
    record.text_size = static_cast<std::uint32_t>(string->text.size());
    if (const auto done = flow.exclude(record, string->text); !done) return failure(done.error());
    return {};
  });
}

Expected<void> exclude_memory(const Snapshot& snapshot, const MemoryReader& memory, const StringsArguments& arguments,
                              const StringsSettings& settings, StringsFlow& flow) {
  ExtentChoice choice;
  choice.absent_too = arguments.all_pages;
  const auto extents = choose_extents(snapshot, memory, choice);
  if (!extents) return failure(extents.error());
  ScanOptions options = settings.scan;
  options.count_only = false;
  Result<void> excluded;
  const Render render = [&](const StringBatch& batch, Rendered& out) {
    append_records(batch, snapshot.regions[batch.region], out);
  };
  const Deliver deliver = [&](Rendered& found) {
    for (std::string_view rest = found.text; !rest.empty() && excluded;) {
      const std::string_view record = take_record(rest);
      excluded = flow.exclude(head_of(record), text_of(record));
    }
    return excluded.has_value() && !interrupted();
  };
  ScanTotals totals;
  const auto done = scan_memory(memory, extents->list, options, render, deliver, totals);
  if (!excluded) return failure(excluded.error());
  if (!done) return failure(done.error());
  return {};
}

}  // namespace

Expected<void> exclude_base(const StringsArguments& arguments, const StringsSettings& settings, StringsFlow& flow,
                            std::vector<Note>& notes) {
  const std::string& base = arguments.not_in;
  if (is_lines(base)) return exclude_lines(base, flow);
  auto targets = open_targets({TargetSpec::Kind::Any, base}, false);
  if (!targets) return std::unexpected(targets.error());
  OpenTarget& target = targets->front();
  if (target.source == nullptr || target.source->memory() == nullptr)
    return failure(exit_usage,
                   fmt::format("--not-in {}: a saved snapshot holds no contents of memory: name a process, a "
                               "core or a file of 'vmscan strings --jsonl'",
                               formats::quote(base)));
  CollectOptions collect;
  collect.sharing = false;
  collect.all_pages = arguments.all_pages;
  const auto snapshot = take_snapshot(target, collect);
  if (!snapshot) return std::unexpected(snapshot.error());
  if (!snapshot->regions_known)
    return failure(exit_permission, fmt::format("--not-in {}: its memory map may not be read", formats::quote(base)));
  for (const Note& note : snapshot->notes) notes.push_back({note.code, "base: " + note.message});
  return exclude_memory(*snapshot, *target.source->memory(), arguments, settings, flow);
}

}  // namespace vmscan::cli
