// signal_stacks [N]: N threads that each have an alternate signal stack and are in a signal handler, blocked in pause()
// or read(). Stacks of four kinds (mapped behind a guard page, mapped alone so that they merge, from malloc, an array
// of the program); of every three handlers, one runs on the thread's usual stack. Beside them a thread that runs on a
// coroutine's stack, three threads with mappings as Rust's library makes them for each, and mappings that only look
// like it: with two guards, kept by nobody, and with an allocator's header.
#include "target.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum kind { guarded, merged, allocated, array, kinds };
enum { most_threads = 64, array_size = 48 * 1024, coroutine_size = 256 * 1024 };

static const char* const kind_names[] = {"guarded", "merged", "allocated", "array"};
static _Alignas(4096) char arrays[most_threads / kinds][array_size];
static char write_header[1], run_handler[1];  // what work_like_rust() shall do
static int silent[2];
static sem_t blocked;
static __thread int own_number;

/// Maps `size` bytes with a page before them that may not be touched.
static char* map_behind_guard(size_t size) {
  char* const memory = mmap(NULL, size + page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED, "mmap");
  must(mprotect(memory, page_size(), PROT_NONE) == 0, "mprotect");
  return memory + page_size();
}

static void block(int number) {
  sem_post(&blocked);
  char byte;
  if (number % 2 == 0)
    for (;;) pause();
  while (read(silent[0], &byte, 1) != 1) {
  }
}

static void handle(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  (void)context;
  volatile char used[3000];
  memset((void*)used, 0x5a, sizeof used);
  block(own_number);
}

static stack_t give_stack(unsigned number) {
  const enum kind kind = (enum kind)(number % kinds);
  stack_t stack = {.ss_size = (size_t)(kind == array ? array_size : (32 + 16 * (int)(number / kinds)) * 1024)};
  if (kind == guarded) stack.ss_sp = map_behind_guard(stack.ss_size);
  if (kind == merged)
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (kind == allocated) stack.ss_sp = malloc(stack.ss_size);
  if (kind == array) stack.ss_sp = arrays[number / kinds];
  must(stack.ss_sp != NULL && stack.ss_sp != MAP_FAILED, "memory for a stack");
  must(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &stack) == 0, "sigaltstack");
  return stack;
}

static void* work(void* argument) {
  const unsigned number = (unsigned)(uintptr_t)argument;
  char name[16];
  snprintf(name, sizeof name, "handler %u", number);
  prctl(PR_SET_NAME, name);
  const stack_t stack = give_stack(number);
  const pid_t tid = (pid_t)syscall(SYS_gettid);
  const int on = number % 3 != 0;
  tell("signal_stack", stack.ss_sp, stack.ss_size, "tid=%d name=handler_%u kind=%s on=%d", tid, number,
       kind_names[number % kinds], on);
  own_number = (int)number;
  pthread_kill(pthread_self(), on ? SIGUSR1 : SIGUSR2);
  return NULL;
}

#ifdef __GLIBC__
static ucontext_t of_thread, of_coroutine;

static void run_coroutine(void) { block(0); }

static void* work_in_coroutine(void* nothing) {
  char* const stack = map_behind_guard(coroutine_size);
  tell("coroutine", stack, coroutine_size, "tid=%d", (int)syscall(SYS_gettid));
  getcontext(&of_coroutine);
  of_coroutine.uc_stack = (stack_t){.ss_sp = stack, .ss_size = coroutine_size};
  of_coroutine.uc_link = &of_thread;
  makecontext(&of_coroutine, run_coroutine, 0);
  swapcontext(&of_thread, &of_coroutine);
  return nothing;
}
#endif

static void return_at_once(int signal) { (void)signal; }

static void start(void* (*run)(void*), void* argument) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, run, argument) == 0, "pthread_create");
  while (sem_wait(&blocked) != 0) {
  }
}

/// As std::sys::…::stack_overflow does, apart from each other.
static char* map_like_rust(const char* name, size_t guard_pages) {
  const size_t needed = getauxval(AT_MINSIGSTKSZ), size = needed > 8192 ? (needed + 4095) / 4096 * 4096 : 8192;
  char* const memory =
      map_alone(size + guard_pages * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  must(memory != MAP_FAILED, "mmap");
  must(mprotect(memory, guard_pages * page_size(), PROT_NONE) == 0, "mprotect");
  tell(name, memory + guard_pages * page_size(), size, "guard=%zu", guard_pages * page_size());
  return memory + guard_pages * page_size();
}

/// Keeps the address on its stack. `argument`: whether a handler has run on it, or a header has been written into it.
static void* work_like_rust(void* argument) {
  char* volatile kept = map_like_rust(argument == write_header ? "header" : "like_rust", 1);
  if (argument == write_header) *(uintptr_t*)kept = (uintptr_t)kept + 64;
  if (argument == run_handler) {
    const size_t needed = getauxval(AT_MINSIGSTKSZ);
    stack_t stack = {.ss_sp = kept, .ss_size = needed > 8192 ? (needed + 4095) / 4096 * 4096 : 8192};
    must(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    pthread_kill(pthread_self(), SIGWINCH);
    kept = NULL;
  }
  block(0);
  return kept;
}

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20;
  must(count <= most_threads && sem_init(&blocked, 0, 0) == 0 && pipe(silent) == 0, "set-up");
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  must(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
  action.sa_flags = SA_SIGINFO;
  must(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
  for (unsigned i = 0; i < count; ++i) start(work, (void*)(uintptr_t)i);
#ifdef __GLIBC__
  start(work_in_coroutine, NULL);
#endif
  action = (struct sigaction){.sa_handler = return_at_once, .sa_flags = SA_ONSTACK};
  must(sigaction(SIGWINCH, &action, NULL) == 0, "sigaction");
  start(work_like_rust, NULL);
  start(work_like_rust, NULL);
  start(work_like_rust, run_handler);
  start(work_like_rust, write_header);
  map_like_rust("unlike_rust", 2);
  map_like_rust("unlike_rust", 1);
  usleep(50000);  // until those that block do
  ready_until_end();
  _exit(0);
}
