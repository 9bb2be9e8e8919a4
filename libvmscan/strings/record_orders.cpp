#include <algorithm>
#include <bit>

#include "libvmscan/strings/record_sort.h"

namespace vmscan {
namespace {

using Record = std::string_view;

bool is_lower(Record a, Record b) { return head_of(a).address < head_of(b).address; }

/// By a number, then by address; the highest first.
template <class Number>
RecordOrder falling(Number number) {
  return {[number](Record record) { return ~number(head_of(record)); }, is_lower, {}};
}

std::uint64_t first_bytes(std::string_view text) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word = word << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
  return word;
}

bool same_text(const StringRecord& a, std::string_view a_text, Record b) {
  const StringRecord head = head_of(b);
  return a.hash == head.hash && a.encoding == head.encoding && a_text == text_of(b);
}

bool add_equal(StringRecord& kept, std::string_view kept_text, Record record) {
  if (!same_text(kept, kept_text, record)) return false;
  const StringRecord other = head_of(record);
  add_up(kept, other);
  return true;
}

}  // namespace

RecordOrder reversed(RecordOrder order) {
  return {[prefix = std::move(order.prefix)](Record record) { return ~prefix(record); },
          [less = std::move(order.less)](Record a, Record b) { return less(b, a); }, std::move(order.combine)};
}

RecordOrder by_address() {
  return {[](Record record) { return head_of(record).address; }, is_lower, {}};
}

RecordOrder by_length() {
  return falling([](const StringRecord& head) { return std::uint64_t{head.characters}; });
}

RecordOrder by_count() {
  return falling([](const StringRecord& head) { return head.count; });
}

RecordOrder by_waste() {
  return falling([](const StringRecord& head) { return head.wasted_bytes(); });
}

RecordOrder by_growth() {
  return falling([](const StringRecord& head) { return head.grown_bytes(); });
}

RecordOrder by_type() {
  return {
      [](Record record) { return static_cast<std::uint64_t>(std::countr_zero(head_of(record).types)); }, is_lower, {}};
}

RecordOrder by_text() {
  return {[](Record record) { return first_bytes(text_of(record)); },
          [](Record a, Record b) {
            const int order = text_of(a).compare(text_of(b));
            const StringRecord head_a = head_of(a), head_b = head_of(b);
            if (order != 0) return order < 0;
            return head_a.encoding != head_b.encoding ? head_a.encoding < head_b.encoding
                                                      : head_a.address < head_b.address;
          },
          {}};
}

RecordOrder by_hash() {
  return {[](Record record) { return head_of(record).hash.first; },
          [](Record a, Record b) {
            const StringRecord head_a = head_of(a), head_b = head_of(b);
            return head_a.hash != head_b.hash ? head_a.hash < head_b.hash : head_a.address < head_b.address;
          },
          {}};
}

RecordOrder by_hash_combined() {
  RecordOrder order = by_hash();
  order.less = [](Record a, Record b) {
    const StringRecord head_a = head_of(a), head_b = head_of(b);
    if (head_a.hash != head_b.hash) return head_a.hash < head_b.hash;
    if (head_a.encoding != head_b.encoding) return head_a.encoding < head_b.encoding;
    const int texts = text_of(a).compare(text_of(b));
    return texts != 0 ? texts < 0 : head_a.address < head_b.address;
  };
  order.combine = add_equal;
  return order;
}

}  // namespace vmscan
