// Preloaded into mlpipe (LD_PRELOAD): lets memory run out. docs/testing.md, "Crashes".
//
//   FAILING_MALLOC=N     the N-th allocation of the program gives nothing; N+: and none after it gives anything
//   FAILING_MALLOC_COUNT=FILE  a file of 8 bytes, in which they are counted; it stays right however the program ends
//
// They are counted from main on: before it nobody can say anything. Programs that it starts are let alone.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

std::uint64_t uncounted = 0;
std::uint64_t* count = &uncounted;
std::uint64_t fails_at = 0;  // 0: never
bool for_good = false;
bool begun = false;
int (*its_main)(int, char**, char**) = nullptr;

void begin() {
  if (const char* file = std::getenv("FAILING_MALLOC_COUNT"); file != nullptr) {
    const int opened = ::open(file, O_RDWR | O_CLOEXEC);
    void* mapped = ::mmap(nullptr, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    if (mapped != MAP_FAILED) count = static_cast<std::uint64_t*>(mapped);
    ::close(opened);
  }
  if (const char* number = std::getenv("FAILING_MALLOC"); number != nullptr) {
    for_good = std::strchr(number, '+') != nullptr;
    fails_at = std::strtoull(number, nullptr, 10);
  }
  for (const char* name : {"LD_PRELOAD", "FAILING_MALLOC", "FAILING_MALLOC_COUNT"}) ::unsetenv(name);
  begun = true;
}

int main_with_failures(int argc, char** argv, char** environment) {
  begin();
  return its_main(argc, argv, environment);
}

bool fails() {
  if (!begun) return false;
  const std::uint64_t number = __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
  if (fails_at == 0 || (for_good ? number < fails_at : number != fails_at)) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {

int __libc_start_main(int (*program)(int, char**, char**), int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*loader_fini)(), void* stack_end) {
  its_main = program;
  auto* next = reinterpret_cast<decltype(&__libc_start_main)>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  return next(main_with_failures, argc, argv, init, fini, loader_fini, stack_end);
}

void* malloc(size_t size) { return fails() ? nullptr : __libc_malloc(size); }
void* calloc(size_t count_of, size_t size) { return fails() ? nullptr : __libc_calloc(count_of, size); }
void* realloc(void* old, size_t size) { return fails() ? nullptr : __libc_realloc(old, size); }
void* memalign(size_t alignment, size_t size) { return fails() ? nullptr : __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** result, size_t alignment, size_t size) {
  void* made = memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *result = made;
  return 0;
}
}
