// What a region, a block or a type uses. One table names the columns for every reader and writer.
#pragma once

#include <array>
#include <string_view>

#include "libvmscan/base/bytes.h"

namespace vmscan {

/// All in bytes. "In RAM" means: a page of the process's page tables that the kernel counts in Rss or as hugetlb.
struct Usage {
  Bytes committed;      // backed by RAM, swap or a file
  Bytes private_bytes;  // charged to the commit limit if modified, copy-on-write not yet modified included
  Bytes total_ws;       // in RAM
  Bytes private_ws;     // in RAM and only this process's
  Bytes shareable_ws;   // in RAM and could be shared
  Bytes shared_ws;      // the part of shareable_ws that is mapped more than once now
  Bytes locked_ws;      // in RAM and locked there
  Bytes swap;           // swapped out
  Bytes hugetlb;        // the part of total_ws in hugetlb pages, which the kernel leaves out of Rss
  // From smaps, only when asked for (see CollectOptions::smaps):
  Bytes pss;         // in RAM, each page divided by the number of its mappings
  Bytes dirty;       // in RAM and modified since it was read or written back
  Bytes referenced;  // in RAM and accessed since it was last cleared
  Bytes huge;        // in RAM in transparent huge pages
  Bytes swap_pss;    // swapped out, divided by the number of its users

  Usage& operator+=(const Usage& other);
  friend bool operator==(const Usage&, const Usage&) = default;

  /// All columns known and 0: the neutral element of +=, except that the columns of smaps are known only on request.
  static Usage zero();
};

/// One column of Usage: its name in JSON and CSV, its title in tables, where it is, and whether it costs a read of
/// smaps.
struct UsageColumn {
  std::string_view name;
  std::string_view title;
  Bytes Usage::*member;
  bool from_smaps;
};

inline constexpr std::array<UsageColumn, 14> usage_columns{{
    {"committed", "Committed", &Usage::committed, false},
    {"private", "Private", &Usage::private_bytes, false},
    {"total_ws", "Total WS", &Usage::total_ws, false},
    {"private_ws", "Private WS", &Usage::private_ws, false},
    {"shareable_ws", "Shareable WS", &Usage::shareable_ws, false},
    {"shared_ws", "Shared WS", &Usage::shared_ws, false},
    {"locked_ws", "Locked WS", &Usage::locked_ws, false},
    {"swap", "Swap", &Usage::swap, false},
    {"hugetlb", "Hugetlb", &Usage::hugetlb, false},
    {"pss", "PSS", &Usage::pss, true},
    {"dirty", "Dirty", &Usage::dirty, true},
    {"referenced", "Referenced", &Usage::referenced, true},
    {"huge", "Huge", &Usage::huge, true},
    {"swap_pss", "Swap PSS", &Usage::swap_pss, true},
}};

inline Usage& Usage::operator+=(const Usage& other) {
  for (const UsageColumn& column : usage_columns) this->*column.member += other.*column.member;
  return *this;
}

inline Usage Usage::zero() {
  Usage usage;
  for (const UsageColumn& column : usage_columns) usage.*column.member = 0;
  return usage;
}

}  // namespace vmscan
