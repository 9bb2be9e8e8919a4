#include "libvmscan/classify/rules.h"

#include <array>

#include "libvmscan/classify/allocation_rules.h"

namespace vmscan {
namespace {

using enum RegionType;

constexpr std::array<Rule, 33> table{{
    {"kernel_code", Image, "code that the kernel maps into every process", claim_kernel_code},
    {"kernel_data", Shareable, "data that the kernel shows to every process", claim_kernel_data},
    {"elf_load", Image, "segments of one ELF file with a common bias, their gaps and .bss", claim_elf_loads},
    {"executable_file", Image, "a file mapped executable whose headers could not be read", claim_executable_files},
    {"named_stack", Stack, "the name of the mapping says so", claim_named_stack},
    {"named_managed_heap", ManagedHeap, "the name of the mapping says so", claim_named_managed_heap},
    {"named_heap", Heap, "the name of the mapping says so", claim_named_heap},
    {"main_stack", Stack, "the kernel calls it [stack]", claim_main_stack},
    {"initial_stack", Stack, "holds what the kernel gives a program at its start", claim_initial_stack},
    {"thread_list", Stack, "the C library has it in its list of threads", claim_listed_stacks},
    {"kept_stack", Stack, "the C library keeps it for the next thread", claim_kept_stacks},
    {"runtime_structure", ManagedHeap, "the runtime's own structures say so", claim_runtimes},
    {"runtime_allocator", Heap, "the own structures of the runtime's allocator for C++ say so",
     claim_runtime_allocators},
    {"signal_frame", Stack, "a signal handler's frame names it as the alternate signal stack of its thread",
     claim_signal_stacks},
    {"thread_stack_pointer", Stack, "a thread's stack pointer lies in it and a guard lies below", claim_thread_stacks},
    {"malloc_arena", Heap, "malloc's own structures say so: an arena", claim_arenas},
    {"allocator_structures", Heap, "the own structures of an allocator other than glibc's say so", claim_allocators},
    {"malloc_block", Heap, "malloc's own structures say so: a block with a mapping of its own", claim_mapped_blocks},
    {"loader_data", PrivateData, "the dynamic loader's own: its list of libraries, and the first thread's TLS",
     claim_loader_data},
    {"runtime_shape", ManagedHeap, "mapped where and how only this runtime does it", claim_runtime_shapes},
    {"lone_stack", Stack, "the stack pointer of a thread that no list has lies near its end", claim_lone_stacks},
    {"stack_shape", Stack, "a guess: a guard, and the size of a thread's stack", claim_stack_shapes},
    {"signal_stack_shape", Stack,
     "a guess: one guard page, the size of an alternate signal stack, and nothing in it that would be elsewhere",
     claim_signal_stack_shapes},
    {"brk_heap", Heap, "the kernel calls it [heap]: grown by brk", claim_brk_heap},
    {"brk_place", Heap, "the first memory behind the executable, where the kernel starts the brk heap",
     claim_brk_place},
    {"arena_shape", Heap,
     "looks like an arena of glibc malloc: begins at its boundary, its tail is reserved up to the next",
     claim_arena_shape},
    {"memfd", Shareable, "a file made by memfd_create, which has no disk", claim_memfd},
    {"sysv_shm", Shareable, "System V shared memory", claim_sysv},
    {"shared_anonymous", Shareable, "shared memory without a file", claim_shared_anonymous},
    {"device", Shareable, "memory of a device or of another kernel object", claim_device},
    {"memory_file", Shareable, "a file of a file system that lives in RAM", claim_memory_file},
    {"mapped_file", MappedFile, "a file, mapped as data", claim_mapped_files},
    {"private_anonymous", PrivateData, "private memory that no other rule explains", claim_private_data},
}};

}  // namespace

std::span<const Rule> rules() { return table; }

std::string_view meaning_of_rule(std::string_view name) {
  for (const Rule& rule : table)
    if (rule.name == name) return rule.meaning;
  for (const AllocationRule& rule : allocation_rules())
    if (rule.name == name) return rule.meaning;
  if (name == rule_null_partition) return "the lowest 64 KiB, where Windows lets nothing be allocated";
  if (name == rule_granularity) return "free, but before the next boundary at which Windows begins allocations";
  if (name == rule_below_lowest_mappable) return "below vm.mmap_min_addr, where nothing may be mapped";
  if (name == rule_stack_guard_gap) return "the gap that the kernel keeps below a growing stack";
  return {};
}

}  // namespace vmscan
