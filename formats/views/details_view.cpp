#include "formats/native/document.h"
#include "formats/views/view_cells.h"

namespace vmscan::formats {
namespace {

using Regions = std::vector<const Region*>;

bool is_before(const Region* a, const Region* b) { return a->range.begin < b->range.begin; }

const Region* region_at(const std::vector<Region>& regions, Address address) {
  const auto after = std::partition_point(regions.begin(), regions.end(),
                                          [address](const Region& region) { return region.range.end <= address; });
  return after != regions.end() && after->range.contains(address) ? &*after : nullptr;
}

/// The region that holds `address` and the ones before and after it in the list; nothing when none holds it.
void keep_neighbourhood(Regions& regions, Address address) {
  const auto found = std::find_if(regions.begin(), regions.end(),
                                  [address](const Region* region) { return region->range.contains(address); });
  if (found == regions.end()) return regions.clear();
  const auto first = found == regions.begin() ? found : found - 1;
  const auto last = regions.end() - found > 2 ? found + 2 : regions.end();
  regions = Regions(first, last);
}

/// What a details view shows, in its order. Holds the holes that are shown; the snapshot must outlive it.
class Selection {
 public:
  Selection(const Snapshot& snapshot, const ViewOptions& options) {
    for (const Region& region : snapshot.regions) regions_.push_back(&region);
    if (shows_holes(snapshot, options)) add_holes(snapshot);
    if (options.address) keep_neighbourhood(regions_, *options.address);
    std::erase_if(regions_, [&options](const Region* region) { return !is_wanted(region->type, options); });
    sort_and_cut(regions_, options);
  }

  const Regions& regions() const { return regions_; }

 private:
  static bool shows_holes(const Snapshot& snapshot, const ViewOptions& options) {
    if (options.free || (!options.types.empty() && is_wanted(RegionType::Free, options))) return true;
    return options.address && region_at(snapshot.regions, *options.address) == nullptr;
  }

  void add_holes(const Snapshot& snapshot) {
    holes_ = free_regions(snapshot);
    const auto middle = static_cast<std::ptrdiff_t>(regions_.size());
    for (const Region& hole : holes_) regions_.push_back(&hole);
    std::inplace_merge(regions_.begin(), regions_.begin() + middle, regions_.end(), is_before);
  }

  std::vector<Region> holes_;
  Regions regions_;
};

std::vector<Column> columns_of(const ViewOptions& options) {
  auto chosen = options.columns.empty() ? default_columns(View::Details) : options.columns;
  for (const std::string_view name : {"rule", "evidence"}) {
    const Column* column = find_column(View::Details, name);
    if (options.explain && std::find(chosen.begin(), chosen.end(), column) == chosen.end()) chosen.push_back(column);
  }
  std::vector<Column> columns;
  for (const Column* column : chosen) columns.push_back(*column);
  return columns;
}

Row make_row(const Region& region, const std::vector<Column>& columns) {
  Row row;
  row.type = region.type;
  row.group = "region";
  row.cells.reserve(columns.size());
  for (const Column& column : columns) row.cells.push_back(cell_of(region, column));
  return row;
}

Row make_row(const Region& region, const Block& block, const std::vector<Column>& columns) {
  Row row;
  row.kind = Row::Kind::Block;
  row.type = region.type;
  row.group = "block";
  row.cells.reserve(columns.size());
  for (const Column& column : columns) row.cells.push_back(cell_of(region, block, column));
  return row;
}

}  // namespace

Table details_table(const Snapshot& snapshot, const ViewOptions& options) {
  Table table;
  table.columns = columns_of(options);
  table.group_name = "row";
  const Selection selection(snapshot, options);
  for (const Region* region : selection.regions()) {
    table.rows.push_back(make_row(*region, table.columns));
    if (!options.expand) continue;
    for (const Block& block : region->blocks) table.rows.push_back(make_row(*region, block, table.columns));
  }
  return table;
}

std::string details_json(const Snapshot& snapshot, const ViewOptions& options) {
  const Selection selection(snapshot, options);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(details_schema);
  write_head(json, snapshot);
  json.key("regions");
  if (snapshot.regions_known) {
    json.begin_array();
    for (const Region* region : selection.regions()) write_region(json, *region, UnknownColumns::Null);
    json.end_array();
  } else {
    json.null();
  }
  write_tail(json, snapshot);
  return out += '\n';
}

}  // namespace vmscan::formats
