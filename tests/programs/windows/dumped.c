// For Windows (or Wine): memory of a known layout, and a minidump of it made by MiniDumpWriteDump from another process.
//   dumped FILE FLAGS    starts itself as the target, writes its dump with these MINIDUMP_TYPE flags (hexadecimal)
//   dumped               the target: prints "NAME BEGIN END KEY=VALUE…" for what it has, then "ready", and waits
// clang-format off
#include <windows.h>  // before dbghelp.h
#include <dbghelp.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(const char* name, const void* begin, size_t size, const char* more) {
  printf("%s %llx %llx %s\n", name, (unsigned long long)(size_t)begin, (unsigned long long)((size_t)begin + size), more);
}

static DWORD WINAPI wait_in_thread(void* ready) {
  char here[256];
  snprintf(here, sizeof here, "id=%lu", GetCurrentThreadId());
  tell("thread", here, sizeof here, here);
  SetEvent((HANDLE)ready);
  Sleep(INFINITE);
  return 0;
}

static int target(void) {
  unsigned char* reserved = VirtualAlloc(NULL, 1 << 20, MEM_RESERVE, PAGE_READWRITE);
  unsigned char* part = VirtualAlloc(reserved + 0x10000, 0x8000, MEM_COMMIT, PAGE_READWRITE);
  memset(part, 0x5a, 0x8000);
  unsigned char* code = VirtualAlloc(NULL, 0x3000, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READ);
  HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0x20000, NULL);
  unsigned char* view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
  HANDLE heap = HeapCreate(0, 0, 0);
  unsigned char* block = HeapAlloc(heap, 0, 3000);
  if (part == NULL || code == NULL || view == NULL || block == NULL) return 1;
  memset(view, 0xa5, 0x20000);
  memset(block, 0x33, 3000);
  char more[64];
  snprintf(more, sizeof more, "id=%lu", GetCurrentProcessId());
  tell("process", GetModuleHandleA(NULL), 0x1000, more);
  tell("reserved", reserved, 1 << 20, "");
  tell("part", part, 0x8000, "");
  tell("code", code, 0x3000, "");
  tell("view", view, 0x20000, "");
  tell("heap", heap, 0x1000, "");
  tell("block", block, 3000, "");
  HANDLE ready = CreateEventA(NULL, TRUE, FALSE, NULL);
  CreateThread(NULL, 256 << 10, wait_in_thread, ready, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  WaitForSingleObject(ready, INFINITE);
  puts("ready");
  fflush(stdout);
  Sleep(INFINITE);
  return 0;
}

static int dump(const char* program, const char* path, MINIDUMP_TYPE flags) {
  char command[2048], line[256] = "";
  HANDLE from_target, to_us;
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
  CreatePipe(&from_target, &to_us, &inherited, 0);
  STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = to_us};
  PROCESS_INFORMATION process;
  snprintf(command, sizeof command, "\"%s\"", program);
  if (!CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) return 2;
  CloseHandle(to_us);
  DWORD count = 0;
  size_t used = 0;
  while (strstr(line, "ready") == NULL) {  // line by line, so that "ready" is never cut in two
    used = 0;
    do {
      if (!ReadFile(from_target, line + used, 1, &count, NULL) || count == 0) return 3;
    } while (line[used++] != '\n' && used < sizeof line - 1);
    line[used] = '\0';
    fputs(line, stdout);
  }
  HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
  const BOOL written = MiniDumpWriteDump(process.hProcess, process.dwProcessId, file, flags, NULL, NULL, NULL);
  CloseHandle(file);
  TerminateProcess(process.hProcess, 0);
  return written ? 0 : 4;
}

int main(int count, char** arguments) {
  if (count == 3) return dump(arguments[0], arguments[1], (MINIDUMP_TYPE)strtoul(arguments[2], NULL, 16));
  return target();
}
