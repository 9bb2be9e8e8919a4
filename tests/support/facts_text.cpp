#include "tests/support/facts_text.h"

#include <algorithm>

#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan::tests {
namespace {

constexpr std::uint64_t largest_mapping = std::uint64_t{1} << 63;

std::string_view word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view result = line.substr(0, line.find(' '));
  line.remove_prefix(result.size());
  return result;
}

std::uint64_t hex(std::string_view text) {
  std::uint64_t value = 0;
  if (text.starts_with("0x")) text.remove_prefix(2);
  return take_hex(text, value) ? value : 0;
}

std::uint32_t hex32(std::string_view text) { return static_cast<std::uint32_t>(hex(text)); }

std::uint64_t decimal(std::string_view text) {
  std::uint64_t value = 0;
  return take_decimal(text, value) ? value : 0;
}

Range range(std::string_view text) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  return {hex(text.substr(0, dash)), dash < text.size() ? hex(text.substr(dash + 1)) : 0};
}

std::pair<std::uint32_t, std::uint32_t> device(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  return {hex32(text.substr(0, colon)), colon < text.size() ? hex32(text.substr(colon + 1)) : 0};
}

std::uint8_t condition(std::string_view letters) {
  constexpr std::string_view known = "pfxsgh";  // in the order of the bits
  unsigned bits = 0;
  for (const char letter : letters)
    if (const std::size_t bit = known.find(letter); bit != std::string_view::npos) bits |= 1U << bit;
  return static_cast<std::uint8_t>(bits);
}

class Reader {
 public:
  explicit Reader(Facts& facts) : facts_(facts) {}

  void line(std::string_view line) {
    std::string_view rest = line;
    const std::string_view key = word(rest);
    if (key == "pages")
      add_pages(rest);
    else if (key == "smaps")
      add_smaps(rest);
    else if (key == "thread")
      add_thread(rest);
    else if (key == "stack")
      add_stack(rest);
    else if (key == "tmpfs")
      facts_.memory_devices.insert(device(word(rest)));
    else if (key == "space")
      set_address_space(range(word(rest)));
    else if (key == "lowest")
      facts_.lowest_mappable = hex(word(rest));
    else if (key == "gap")
      facts_.stack_guard_gap = hex(word(rest));
    else if (key == "brk")
      facts_.brk_start = hex(word(rest));
    else if (key == "bits")
      facts_.target.pointer_bits = static_cast<unsigned>(decimal(word(rest)));
    else if (key == "elf")
      open_image(rest);
    else if (image_ != nullptr && key == "segment")
      add_segment(rest);
    else if (image_ != nullptr && key == "section")
      add_section(rest);
    else if (image_ != nullptr && key == "relro")
      image_->relro = range(word(rest));
    else if (auto mapping = parse_maps_line(line); mapping && mapping->range.size() <= largest_mapping)
      facts_.mappings.push_back(std::move(*mapping));
  }

 private:
  void set_address_space(Range space) {
    if (!space.empty()) facts_.address_space = space;
  }

  void add_pages(std::string_view rest) {
    const Range pages = range(word(rest));
    facts_.pages.append(pages, condition(word(rest)));
  }

  void add_smaps(std::string_view rest) {
    if (facts_.mappings.empty()) return;
    auto smaps = std::make_shared<SmapsFacts>();
    smaps->pss = smaps->dirty = smaps->referenced = smaps->huge = hex(word(rest));
    smaps->swap = smaps->swap_pss = hex(word(rest));
    facts_.mappings.back().smaps = std::move(smaps);
  }

  void add_thread(std::string_view rest) {
    Thread thread;
    thread.id = static_cast<std::uint32_t>(decimal(word(rest)));
    thread.stack_pointer = hex(word(rest));
    facts_.threads.push_back(std::move(thread));
  }

  void add_stack(std::string_view rest) {
    ThreadStack stack;
    stack.range = range(word(rest));
    stack.guard_size = hex(word(rest));
    stack.thread = static_cast<std::uint32_t>(decimal(word(rest)));
    if (stack.thread == 0) stack.owner = ThreadStack::Owner::Nobody;
    stack.library = "glibc";
    facts_.stacks.push_back(stack);
  }

  void open_image(std::string_view rest) {
    const auto [major, minor] = device(word(rest));
    image_ = &facts_.images[{major, minor, decimal(word(rest))}];
  }

  void add_segment(std::string_view rest) {
    ElfSegment segment;
    segment.address = hex(word(rest));
    segment.offset = hex(word(rest));
    segment.file_size = hex(word(rest));
    segment.memory_size = hex(word(rest));
    const std::string_view rights = word(rest);
    segment.read = rights.find('r') != std::string_view::npos;
    segment.write = rights.find('w') != std::string_view::npos;
    segment.execute = rights.find('x') != std::string_view::npos;
    const bool wraps =
        !Range::make(segment.address, segment.memory_size) || !Range::make(segment.offset, segment.file_size);
    if (!wraps && segment.memory_size > 0 && image_->segments.size() < 64) image_->segments.push_back(segment);
  }

  void add_section(std::string_view rest) {
    const Range section = range(word(rest));
    if (!section.empty()) image_->sections.push_back({std::string(word(rest)), section});
  }

  Facts& facts_;
  ElfImage* image_ = nullptr;
};

}  // namespace

Facts facts_from_text(std::string_view text) {
  Facts facts;
  facts.target.pid = 1;
  facts.target.pointer_bits = 64;
  facts.pages_known = true;
  facts.locked_known = true;
  facts.kernel.locked = 0;
  Reader reader(facts);
  while (!text.empty()) reader.line(take_line(text));
  return facts;
}

}  // namespace vmscan::tests
