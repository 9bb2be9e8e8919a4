// Structures and constants of ELF files, as the System V ABI gives them; our own, so that every host can read cores.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vmscan::elf {

inline constexpr unsigned char magic[4] = {0x7f, 'E', 'L', 'F'};
inline constexpr std::size_t ident_class = 4;  // 1: 32-bit, 2: 64-bit
inline constexpr std::size_t ident_data = 5;   // 1: little-endian

inline constexpr std::uint16_t et_core = 4;
inline constexpr std::uint16_t em_386 = 3, em_arm = 40, em_x86_64 = 62, em_aarch64 = 183, em_riscv = 243;
inline constexpr std::uint16_t pn_xnum = 0xffff;  // the real number of program headers is sh_info of section 0

inline constexpr std::uint32_t pt_load = 1;
inline constexpr std::uint32_t pt_dynamic = 2;
inline constexpr std::uint32_t pt_note = 4;
inline constexpr std::uint32_t pt_gnu_relro = 0x6474e552;
inline constexpr std::uint32_t pf_x = 1, pf_w = 2, pf_r = 4;

inline constexpr std::uint64_t shf_alloc = 2;
inline constexpr std::uint64_t shf_tls = 0x400;
inline constexpr std::uint32_t sht_nobits = 8;

// Tags of the dynamic section, and of symbols (elf(5)); the GNU hash table is of binutils.
inline constexpr std::uint64_t dt_null = 0, dt_hash = 4, dt_strtab = 5, dt_symtab = 6, dt_strsz = 10, dt_syment = 11;
inline constexpr std::uint64_t dt_gnu_hash = 0x6ffffef5;
inline constexpr std::uint64_t dt_rela = 7, dt_relasz = 8;
inline constexpr std::uint16_t shn_undef = 0, shn_loreserve = 0xff00;
inline constexpr std::uint8_t stt_tls = 6;

inline constexpr std::uint32_t nt_gnu_build_id = 3;
// Notes of a core (include/uapi/linux/elf.h); their owner is "CORE".
inline constexpr std::uint32_t nt_prstatus = 1, nt_prpsinfo = 3, nt_auxv = 6;
inline constexpr std::uint32_t nt_siginfo = 0x53494749, nt_file = 0x46494c45;

// Entries of the auxiliary vector (getauxval(3)).
inline constexpr std::uint64_t at_pagesz = 6, at_entry = 9, at_random = 25, at_sysinfo_ehdr = 33, at_minsigstksz = 51;

struct Header32 {
  unsigned char ident[16];
  std::uint16_t type, machine;
  std::uint32_t version, entry, phoff, shoff, flags;
  std::uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct Header64 {
  unsigned char ident[16];
  std::uint16_t type, machine;
  std::uint32_t version;
  std::uint64_t entry, phoff, shoff;
  std::uint32_t flags;
  std::uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct Segment32 {
  std::uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
struct Segment64 {
  std::uint32_t type, flags;
  std::uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct Section32 {
  std::uint32_t name, type, flags, addr, offset, size, link, info, addralign, entsize;
};
struct Section64 {
  std::uint32_t name, type;
  std::uint64_t flags, addr, offset, size;
  std::uint32_t link, info;
  std::uint64_t addralign, entsize;
};
struct Symbol32 {
  std::uint32_t name, value, size;
  std::uint8_t info, other;
  std::uint16_t shndx;
};
struct Symbol64 {
  std::uint32_t name;
  std::uint8_t info, other;
  std::uint16_t shndx;
  std::uint64_t value, size;
};
struct NoteHeader {
  std::uint32_t namesz, descsz, type;
};

static_assert(sizeof(Header32) == 52 && sizeof(Header64) == 64);
static_assert(sizeof(Segment32) == 32 && sizeof(Segment64) == 56);
static_assert(sizeof(Section32) == 40 && sizeof(Section64) == 64);
static_assert(sizeof(Symbol32) == 16 && sizeof(Symbol64) == 24);

}  // namespace vmscan::elf
