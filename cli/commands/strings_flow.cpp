#include "cli/commands/strings_flow.h"

namespace vmscan::cli {
namespace {

RecordOrder order_of(const StringsSettings& settings) {
  using enum StringsOrder;
  RecordOrder order = settings.order == Length   ? by_length()
                      : settings.order == Text   ? by_text()
                      : settings.order == Type   ? by_type()
                      : settings.order == Waste  ? by_waste()
                      : settings.order == Count  ? by_count()
                      : settings.order == Growth ? by_growth()
                                                 : by_address();
  return settings.reversed ? reversed(std::move(order)) : order;
}

StringRecord record_of(const StringBatch& batch, const FoundString& found, RegionType type) {
  StringRecord record;
  record.address = batch.address + found.offset;
  record.region = static_cast<std::uint32_t>(batch.region);
  record.size = static_cast<std::uint32_t>(found.size);
  record.characters = static_cast<std::uint32_t>(found.characters);
  record.types = static_cast<std::uint16_t>(1U << static_cast<unsigned>(type));
  record.encoding = found.encoding;
  record.continues = batch.continues && &found == &batch.strings.back();
  return record;
}

void append_with_hash(StringRecord record, std::string_view text, Rendered& out) {
  record.hash = hash_text(text, record.encoding);
  record.text_size = static_cast<std::uint32_t>(text.size());
  append_record(record, text, out.text);
  ++out.strings;
}

}  // namespace

void append_records(const StringBatch& batch, const Region& region, Rendered& out) {
  std::string text;
  for (const FoundString& found : batch.strings) {
    text.clear();
    formats::append_text_of(batch.text_of(found), found.encoding, text);
    append_with_hash(record_of(batch, found, region.type), text, out);
  }
}

StringsFlow::StringsFlow(const StringsSettings& settings, const Snapshot& snapshot, StringsOutput& output)
    : settings_(settings),
      snapshot_(snapshot),
      output_(output),
      direct_(!settings.unique && !settings.compared && !settings.duplicates &&
              (settings.in_order() || settings.count)),
      view_(snapshot, settings.style),
      duplicates_view_(snapshot, settings.style, settings.compared),
      head_(settings.duplicates ? duplicates_view_.head() : view_.head()) {
  if (settings.duplicates)
    counter_.emplace(open_temporary_file);
  else if (settings.unique || settings.compared)
    sieve_.emplace(settings.unique, open_temporary_file);
  if (settings.duplicates || (!settings.in_order() && !settings.count))
    sort_.emplace(order_of(settings), open_temporary_file);
}

Result<void> StringsFlow::exclude(StringRecord head, std::string_view text) {
  if (!counter_) return sieve_->exclude(head.hash);
  head.base_count = head.count;
  head.count = 0;
  head.types = 0;
  head.region = 0;
  head.address = ~Address{0};
  return counter_->add(head, text);
}

void StringsFlow::render(const StringBatch& batch, Rendered& out) const {
  if (settings_.match) return render_matching(batch, out);
  if (!direct_) return append_records(batch, snapshot_.regions[batch.region], out);
  if (!settings_.count)
    for (const FoundString& found : batch.strings) view_.append(batch, found, out.text);
  out.strings += batch.strings.size();
}

void StringsFlow::render_matching(const StringBatch& batch, Rendered& out) const {
  std::string text;
  for (const FoundString& found : batch.strings) {
    text.clear();
    formats::append_text_of(batch.text_of(found), found.encoding, text);
    if (!settings_.match->matches(text)) continue;
    if (!direct_) {
      append_with_hash(record_of(batch, found, snapshot_.regions[batch.region].type), text, out);
      continue;
    }
    if (!settings_.count) view_.append(batch, found, out.text);
    ++out.strings;
  }
}

bool StringsFlow::deliver(Rendered& found) {
  if (direct_) return output_.add(head_, found.text, found.strings);
  for (std::string_view rest = found.text; !rest.empty();) {
    const std::string_view record = take_record(rest);
    if (!(sieve_ ? judge(record) : collect(record))) return false;
  }
  return true;
}

bool StringsFlow::keep(const Result<void>& done) {
  if (!done) failure_ = failure(done.error()).error();
  return done.has_value();
}

bool StringsFlow::judge(std::string_view record) {
  const auto verdict = sieve_->judge(head_of(record), text_of(record));
  if (!verdict) return keep(std::unexpected(verdict.error()));
  return *verdict != StringSieve::Verdict::Keep || collect(record);
}

bool StringsFlow::collect(std::string_view record) {
  if (counter_) return keep(counter_->add(head_of(record), text_of(record)));
  return sort_ ? keep(sort_->add(record)) : show(record);
}

bool StringsFlow::show(std::string_view record) {
  const StringRecord string = head_of(record);
  std::string line;
  if (!settings_.count && settings_.duplicates)
    duplicates_view_.append(string, text_of(record), line);
  else if (!settings_.count)
    view_.append(string.address, string.found(), text_of(record), string.continues, line);
  return output_.add(head_, line, 1);
}

Expected<void> StringsFlow::finish() {
  if (!failure_ && sieve_) keep(sieve_->later([this](std::string_view record) { return collect(record); }));
  if (!failure_ && counter_)
    keep(counter_->each([this](std::string_view record) {
      const StringRecord string = head_of(record);
      if (string.count < 2 || string.count <= string.base_count) return true;
      return settings_.count ? show(record) : keep(sort_->add(record));
    }));
  if (!failure_ && sort_) keep(sort_->each([this](std::string_view record) { return show(record); }));
  if (failure_) return std::unexpected(*failure_);
  return {};
}

}  // namespace vmscan::cli
