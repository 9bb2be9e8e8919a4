#include "cli/arguments/file_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/platform/system.h"
#include "formats/files/unpacker.h"
#include "libvmscan/base/spool.h"

namespace vmscan::cli {
namespace {

constexpr std::size_t head_bytes = 64 << 10;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ReadNext from_beginning(const FileBytes& file) {
  return [file, at = std::uint64_t{0}](std::span<std::byte> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = file.read(at, buffer);
    at += count;
    return count;
  };
}

/// What comes next, of which the beginning can be looked at first.
class Stream {
 public:
  explicit Stream(ReadNext next) : next_(std::move(next)) {}

  Result<std::string_view> head() {
    if (!head_.empty()) return as_text(head_);
    head_.resize(head_bytes);
    std::size_t size = 0;
    while (size < head_.size()) {
      const auto count = next_(std::span(head_).subspan(size));
      if (!count) return std::unexpected(count.error());
      if (*count == 0) break;
      size += *count;
    }
    head_.resize(size);
    return as_text(head_);
  }

  /// From the beginning.
  ReadNext whole() {
    return [this](std::span<std::byte> buffer) -> Result<std::size_t> {
      if (given_ == head_.size()) return next_(buffer);
      const std::size_t count = std::min(buffer.size(), head_.size() - given_);
      std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(given_), count, buffer.begin());
      given_ += count;
      return count;
    };
  }

 private:
  ReadNext next_;
  std::vector<std::byte> head_;
  std::size_t given_ = 0;
};

Result<FileBytes> spool(const ReadNext& next, const std::string& directory) {
  auto spool = Spool::make(directory);
  if (!spool) return std::unexpected(spool.error());
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (;;) {
    const auto count = next(buffer);
    if (!count) return std::unexpected(count.error());
    if (*count == 0) return spool->finish();
    if (const auto added = spool->append(std::span(buffer).first(*count)); !added)
      return std::unexpected(added.error());
  }
}

/// Keeps what a stream holds: in memory, or in a temporary file when it may be larger. Of what cannot be read here the
/// beginning is enough: it may never end.
Result<void> keep(Stream& content, bool unpacked, FileInput& input) {
  if (!formats::needs_all(input.kind)) {
    input.text = *content.head();
    return {};
  }
  if (!formats::holds_memory(input.kind)) {
    auto text = formats::read_all(content.whole(), formats::most_unpacked_bytes);
    if (!text) return std::unexpected(text.error());
    input.text = std::move(*text);
    return {};
  }
  const std::string directory = temporary_directory();
  auto bytes = spool(content.whole(), directory);
  if (!bytes) return std::unexpected(bytes.error());
  input.bytes = std::move(*bytes);
  input.notes.push_back({"spooled", fmt::format("{} MiB were {} to a temporary file in {}", input.bytes.size >> 20,
                                                unpacked ? "unpacked" : "written", directory)});
  return {};
}

Result<void> take(ReadNext next, FileInput& input) {
  Stream packed(std::move(next));
  const auto head = packed.head();
  if (!head) return std::unexpected(head.error());
  input.kind = formats::recognise(*head);
  const formats::Compression compression = formats::compression_of(*head);
  if (compression == formats::Compression::None) return keep(packed, false, input);
  auto unpacker = formats::Unpacker::open(packed.whole(), compression);
  if (!unpacker) return std::unexpected(unpacker.error());
  Stream content([&unpacker](std::span<std::byte> buffer) { return unpacker->read(buffer); });
  const auto beginning = content.head();
  if (!beginning) return std::unexpected(beginning.error());
  input.kind = formats::recognise(*beginning);
  auto kept = keep(content, true, input);
  input.notes.insert(input.notes.end(), unpacker->notes().begin(), unpacker->notes().end());
  return kept;
}

/// A file that can be read anywhere. Pipes and devices are not even opened here: that could have effects.
std::optional<FileBytes> open_regular(const std::string& path) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_regular_file(path, error)) return std::nullopt;
  auto file = open_file_bytes(path);
  return file ? std::optional(std::move(*file)) : std::nullopt;
}

}  // namespace

Expected<FileInput> load_file(const std::string& path) {
  FileInput input;
  input.name = path == "-" ? "standard input" : path;
  ReadNext next;
  if (const auto file = open_regular(path)) {
    Stream beginning(from_beginning(*file));
    const auto head = beginning.head();
    input.kind = formats::recognise(*head);
    if (formats::holds_memory(input.kind)) {
      input.bytes = *file;
      return input;
    }
    if (formats::compression_of(*head) == formats::Compression::None) {
      if (!formats::needs_all(input.kind)) {
        input.text = *head;
        return input;
      }
      auto text = read_file(path);
      if (!text) return std::unexpected(text.error());
      input.text = std::move(*text);
      return input;
    }
    next = from_beginning(*file);
  } else {
    auto opened = open_input(path);
    if (!opened) return std::unexpected(opened.error());
    next = std::move(*opened);
  }
  if (const auto taken = take(std::move(next), input); !taken)
    return failure(exit_usage, fmt::format("{}: {}", input.name, taken.error().message));
  return input;
}

}  // namespace vmscan::cli
