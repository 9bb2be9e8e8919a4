// The rule table: what makes a mapping what it is. Rules run in the order of the table; each claims pieces that nothing
// before it explained. A region keeps the name of its rule, and `details --explain` prints it.
#pragma once

#include <span>
#include <string_view>

#include "libvmscan/classify/pieces.h"

namespace vmscan {

struct Rule {
  std::string_view name;
  RegionType type;
  std::string_view meaning;                    // one phrase for people
  void (*apply)(Pieces& pieces, const Rule&);  // claims what it explains
};

std::span<const Rule> rules();
/// The meaning of the rule with this name; empty when no rule has it.
std::string_view meaning_of_rule(std::string_view name);

/// Names of what build_snapshot() adds beside the mappings.
inline constexpr std::string_view rule_below_lowest_mappable = "below_mmap_min_addr";
inline constexpr std::string_view rule_stack_guard_gap = "stack_guard_gap";

/// Names the stacks in regions of others, once all rules have run.
void label_stacks(Pieces& pieces);  // stack_labels.cpp

// What the table is made of, by theme.
void claim_kernel_code(Pieces& pieces, const Rule& rule);  // image_rules.cpp
void claim_elf_loads(Pieces& pieces, const Rule& rule);
void claim_executable_files(Pieces& pieces, const Rule& rule);
void claim_kernel_data(Pieces& pieces, const Rule& rule);  // shareable_rules.cpp
void claim_memfd(Pieces& pieces, const Rule& rule);
void claim_sysv(Pieces& pieces, const Rule& rule);
void claim_shared_anonymous(Pieces& pieces, const Rule& rule);
void claim_device(Pieces& pieces, const Rule& rule);
void claim_memory_file(Pieces& pieces, const Rule& rule);
void claim_named_heap(Pieces& pieces, const Rule& rule);  // named_rules.cpp
void claim_named_managed_heap(Pieces& pieces, const Rule& rule);
void claim_named_stack(Pieces& pieces, const Rule& rule);
void claim_main_stack(Pieces& pieces, const Rule& rule);  // stack_rules.cpp
void claim_initial_stack(Pieces& pieces, const Rule& rule);
void claim_listed_stacks(Pieces& pieces, const Rule& rule);
void claim_kept_stacks(Pieces& pieces, const Rule& rule);
void claim_signal_stacks(Pieces& pieces, const Rule& rule);
void claim_signal_stack_shapes(Pieces& pieces, const Rule& rule);
void claim_thread_stacks(Pieces& pieces, const Rule& rule);
void claim_lone_stacks(Pieces& pieces, const Rule& rule);  // stack_labels.cpp
void claim_stack_shapes(Pieces& pieces, const Rule& rule);
void claim_runtimes(Pieces& pieces, const Rule& rule);  // runtime_rules.cpp
void claim_runtime_allocators(Pieces& pieces, const Rule& rule);
void claim_runtime_shapes(Pieces& pieces, const Rule& rule);
void claim_arenas(Pieces& pieces, const Rule& rule);  // heap_rules.cpp
void claim_mapped_blocks(Pieces& pieces, const Rule& rule);
void claim_allocators(Pieces& pieces, const Rule& rule);
void claim_loader_data(Pieces& pieces, const Rule& rule);
void claim_brk_heap(Pieces& pieces, const Rule& rule);
void claim_brk_place(Pieces& pieces, const Rule& rule);
void claim_arena_shape(Pieces& pieces, const Rule& rule);
void claim_mapped_files(Pieces& pieces, const Rule& rule);  // other_rules.cpp
void claim_private_data(Pieces& pieces, const Rule& rule);

}  // namespace vmscan
