#include "mlpipe/sys/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <new>
#include <system_error>

#include "mlpipe/base/assert.hpp"
#include "mlpipe/base/text.hpp"

// posix_spawn and not Boost.Process: it reports a failed exec from any thread without a race, closes what must not be
// inherited (closefrom), and resets the signals that we block.
namespace mlpipe::sys {
namespace fs = std::filesystem;

namespace {

struct Pipe {
  Fd read;
  Fd write;
};

// Moves a descriptor above 0-2, where the child's own go.
bool lift(Fd& fd) {
  if (fd.get() > 2) return true;
  const int lifted = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  fd.reset(lifted);
  return lifted >= 0;
}

Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("making a pipe", errno);
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  if (!lift(pipe.read) || !lift(pipe.write)) return fail_errno("making a pipe", errno);
  return pipe;
}

void make_non_blocking(const Fd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

class SpawnSettings final {
 public:
  SpawnSettings() {
    MLPIPE_ASSERT(::posix_spawn_file_actions_init(&actions_) == 0);
    MLPIPE_ASSERT(::posix_spawnattr_init(&attributes_) == 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void connect(const Fd& ours, int theirs) { check(::posix_spawn_file_actions_adddup2(&actions_, ours.get(), theirs)); }
  void close_all_others() { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3)); }
  void change_folder(const fs::path& path) { check(::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str())); }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  static void check(int error) {
    if (error == ENOMEM) throw std::bad_alloc();
    MLPIPE_ASSERT(error == 0);
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (const std::string& word : words)
    all.push_back(const_cast<char*>(word.c_str()));  // exec takes it so and writes nothing
  all.push_back(nullptr);
  return all;
}

std::string interpreter_of(const fs::path& program) {
  std::ifstream file(program, std::ios::binary);
  std::string line(256, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  if (!line.starts_with("#!")) return {};
  const std::string_view first = trim(std::string_view(line).substr(2, line.find('\n') - 2));
  return std::string(first.substr(0, first.find_first_of(" \t")));
}

Failure spawn_failure(const SpawnRequest& request, int number) {
  const std::string program = request.program.string();
  std::error_code ignored;
  if (!request.working_directory.empty() && !fs::is_directory(request.working_directory, ignored)) {
    return fail(ErrorCode::not_found, "starting {}: the working folder {} is not there or is no folder", program,
                request.working_directory.string());
  }
  switch (number) {
    case ENOENT:
      if (const std::string interpreter = interpreter_of(request.program); !interpreter.empty()) {
        return fail_with_hint(
            ErrorCode::not_found,
            fmt::format("starting {}: its interpreter {} is not there", program, printable(interpreter)),
            "mend its #! line (Windows line ends spoil it too), or install the interpreter");
      }
      return fail(ErrorCode::not_found, "starting {}: no such file, or its loader is missing", program);
    case ENOEXEC:
      return fail_with_hint(ErrorCode::invalid_input, fmt::format("starting {}: exec format error", program),
                            "a script needs a #! line; a program must be built for this machine");
    case E2BIG:
      return fail(ErrorCode::invalid_input,
                  "starting {}: its arguments and environment are longer than the system allows", program);
    default: return fail_errno(fmt::format("starting {}", program), number);
  }
}

bool can_execute(const fs::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         ::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) == 0;
}

Failure not_executable(const std::string& name, const fs::path& file) {
  std::error_code ignored;
  const bool folder = fs::is_directory(file, ignored);
  return fail_with_hint(
      ErrorCode::permission,
      fmt::format("starting \"{}\": {} is {}", printable(name), file.string(), folder ? "a folder" : "not executable"),
      folder ? "name a program" : "chmod +x it, or name its interpreter");
}

}  // namespace

Result<fs::path> find_program(const std::string& name, std::string_view search_path,
                              const fs::path& working_directory) {
  const auto lies_at = [](const fs::path& file) {
    std::error_code ignored;
    return fs::exists(file, ignored);
  };
  if (name.find('/') != std::string::npos) {
    const fs::path file = working_directory / name;
    if (!lies_at(file)) return fail(ErrorCode::not_found, "starting \"{}\": no such file", printable(name));
    if (!can_execute(file)) return not_executable(name, file);
    return file;
  }
  std::optional<fs::path> unusable;
  if (!name.empty()) {
    for (const std::string_view folder : split(search_path, ':')) {
      const fs::path file = working_directory / (folder.empty() ? fs::path(".") : fs::path(folder)) / name;
      if (can_execute(file)) return file;
      if (!unusable && lies_at(file) && !fs::is_directory(file)) unusable = file;
    }
  }
  if (unusable) return not_executable(name, *unusable);
  return fail(ErrorCode::not_found, "starting \"{}\": no such program in PATH ({})", printable(name), search_path);
}

Result<ChildProcess> spawn(const SpawnRequest& request) {
  Result<Pipe> input = make_pipe();
  Result<Pipe> output = make_pipe();
  Result<Pipe> error = make_pipe();
  for (const Result<Pipe>* pipe : {&input, &output, &error}) {
    if (!*pipe) return within(fmt::format("starting {}", request.program.string()), pipe->error());
  }
  SpawnSettings settings;
  settings.connect(input->read, 0);
  settings.connect(output->write, 1);
  settings.connect(error->write, 2);
  settings.close_all_others();
  if (!request.working_directory.empty()) settings.change_folder(request.working_directory);

  const std::vector<char*> argv = pointers(request.argv);
  const std::vector<char*> env = pointers(request.env);
  ChildProcess child;
  // A relative program would be looked up after the change of folder.
  std::error_code gone;  // our own folder may have been removed: then it stays as it is
  fs::path program = fs::absolute(request.program, gone);
  if (gone) program = request.program;
  const int failed =
      ::posix_spawn(&child.pid_, program.c_str(), settings.actions(), settings.attributes(), argv.data(), env.data());
  if (failed != 0) return spawn_failure(request, failed);

  child.exit_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
  if (!child.exit_) {
    const int why = errno;
    ::kill(-child.pid_, SIGKILL);
    ::waitpid(child.pid_, nullptr, 0);
    return fail_errno(fmt::format("watching {} (pidfd_open, Linux 5.3 or newer)", request.program.string()), why);
  }
  child.input_ = std::move(input->write);
  child.output_ = std::move(output->read);
  child.error_ = std::move(error->read);
  for (const Fd* fd : {&child.input_, &child.output_, &child.error_}) make_non_blocking(*fd);
  return child;
}

void ChildProcess::signal_group(int signal) const {
  if (exit_) ::kill(-pid_, signal);
}

ExitStatus ChildProcess::wait() {
  MLPIPE_ASSERT(exit_);
  siginfo_t info{};
  // Not reaped yet: as long as the leader is a zombie, nobody else can get the group's number.
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_.reset();
  if (WIFSIGNALED(status)) return {.exit_code = 128 + WTERMSIG(status), .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

ChildProcess::~ChildProcess() {
  if (!exit_) return;
  signal_group(SIGKILL);
  wait();
}

}  // namespace mlpipe::sys
