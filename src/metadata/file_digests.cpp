#include "metadata/file_digests.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <mutex>
#include <unordered_map>
#include <vector>

#include "metadata/database.hpp"
#include "metadata/schema.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::metadata {
namespace {

namespace fs = std::filesystem;
using sys::FileIdentity;

constexpr std::int64_t k_digests_id = 0x6d6c7064;  // "mlpd", PRAGMA application_id
constexpr std::int64_t k_digests_version = 1;      // PRAGMA user_version

// `number` grows with every row that is written, so that the oldest are known.
constexpr const char* k_schema =
    "CREATE TABLE files (number INTEGER PRIMARY KEY, inode INTEGER NOT NULL, device INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, digest TEXT NOT NULL,"
    " checksum INTEGER NOT NULL, UNIQUE (inode, device)) STRICT;";

struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileKey&) const = default;
};

struct FileKeyHash {
  std::size_t operator()(const FileKey& key) const {
    return static_cast<std::size_t>((key.inode ^ (key.device << 40U)) * 0x9e3779b97f4a7c15U);
  }
};

struct Known {
  FileIdentity identity;
  std::string hex;
  bool unwritten = false;
};

// FNV-1a over a row. Nothing is synced, so a power failure may leave pages that are half old and half new: a row that
// was put together so must not be believed.
std::int64_t checksum_of(const FileIdentity& identity, std::string_view hex) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  const auto add = [&sum](std::uint64_t byte) { sum = (sum ^ byte) * 0x100000001b3U; };
  for (std::uint64_t number :
       {identity.device, identity.inode, identity.bytes, static_cast<std::uint64_t>(identity.modified_ns),
        static_cast<std::uint64_t>(identity.changed_ns)}) {
    for (int i = 0; i < 8; ++i, number >>= 8U) add(number & 0xffU);
  }
  for (const char c : hex) add(static_cast<unsigned char>(c));
  return static_cast<std::int64_t>(sum);
}

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The database and what is asked of it, ready to use.
struct Table {
  std::unique_ptr<Database> database;
  Statement find;
  Statement all;
  Statement insert;
  Statement trim;
};

Result<> set_up(Database& database) {
  // Others hold the lock for milliseconds at most; nobody waits long for what only saves time.
  Result<> set = database.execute("PRAGMA busy_timeout = 100; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;");
  if (!set) return set;
  const Result<std::int64_t> application = database.number("PRAGMA application_id");
  const Result<std::int64_t> version = database.number("PRAGMA user_version");
  const Result<std::int64_t> tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!application) return Failure(application.error());
  if (!version) return Failure(version.error());
  if (!tables) return Failure(tables.error());
  if (*application == k_digests_id && *version == k_digests_version) return {};
  if (*application != 0 || *version != 0 || *tables != 0) return fail(ErrorCode::io, "not ours");
  Result<Transaction> transaction = Transaction::begin(database, Transaction::Kind::write);
  if (!transaction) return Failure(std::move(transaction).error());
  if (Result<> made = database.execute(k_schema); !made) return made;
  const std::string marks =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", k_digests_id, k_digests_version);
  if (Result<> marked = database.execute(marks.c_str()); !marked) return marked;
  return transaction->commit();
}

Result<> prepare(Table& table, Statement& statement, std::string_view sql) {
  Result<Statement> prepared = table.database->prepare(sql);
  if (!prepared) return Failure(prepared.error());
  statement = std::move(*prepared);
  return {};
}

Result<> prepare_lookups(Table& table) {
  Result<> ready = prepare(table, table.find,
                           "SELECT inode, device, bytes, modified_ns, changed_ns, digest, checksum FROM files"
                           " WHERE inode = ?1 AND device = ?2");
  if (!ready) return ready;
  return prepare(table, table.all,
                 "SELECT inode, device, bytes, modified_ns, changed_ns, digest, checksum FROM files"
                 " ORDER BY number DESC LIMIT ?1");
}

Result<Table> open_table(const fs::path& file) {
  Result<std::unique_ptr<Database>> database = Database::open(file, OpenMode::create);
  if (!database) return Failure(database.error());
  Table table{.database = std::move(*database), .find = {}, .all = {}, .insert = {}, .trim = {}};
  if (Result<> ready = set_up(*table.database); !ready) return Failure(ready.error());
  Result<> ready = prepare_lookups(table);
  if (ready) {
    ready = prepare(table, table.insert,
                    "INSERT OR REPLACE INTO files (inode, device, bytes, modified_ns, changed_ns, digest, checksum)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  }
  if (ready)
    ready = prepare(table, table.trim, "DELETE FROM files WHERE number <= (SELECT max(number) FROM files) - ?1");
  if (!ready) return Failure(ready.error());
  return table;
}

void remove_database(const fs::path& file) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((file.string() + suffix).c_str());
}

// Anything but a regular file is left alone: it is not ours, and opening it might wait for ever.
bool may_open(const fs::path& file) {
  if (Result<> made = sys::make_directories(file.parent_path()); !made) return false;
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  const bool absent = status.type() == fs::file_type::not_found;
  if (!absent && (!fs::is_regular_file(status) || ::access(file.c_str(), R_OK | W_OK) != 0)) return false;
  return ::access(file.parent_path().c_str(), W_OK) == 0;
}

// Does `error` tell of a database that cannot be used, and not of one that is busy, or has no room or no rights?
bool is_worthless(const Error& error) { return error.code == ErrorCode::io || error.code == ErrorCode::internal; }

// For looking up alone; null: there is none to read.
std::unique_ptr<Table> open_to_read(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return nullptr;
  Result<std::unique_ptr<Database>> database = Database::open(file, OpenMode::traceless);
  if (!database) return nullptr;
  const Result<std::int64_t> application = (*database)->number("PRAGMA application_id");
  const Result<std::int64_t> version = (*database)->number("PRAGMA user_version");
  if (!application || !version || *application != k_digests_id || *version != k_digests_version) return nullptr;
  Table table{.database = std::move(*database), .find = {}, .all = {}, .insert = {}, .trim = {}};
  if (Result<> ready = prepare_lookups(table); !ready) return nullptr;
  return std::make_unique<Table>(std::move(table));
}

std::unique_ptr<Table> open_or_replace(const fs::path& file) {
  if (!may_open(file)) return nullptr;
  const sys::Fd lock = lock_folder(file.parent_path());
  Result<Table> table = open_table(file);
  if (!table && is_worthless(table.error())) {
    remove_database(file);
    table = open_table(file);
  }
  return table ? std::make_unique<Table>(std::move(*table)) : nullptr;
}

// The row that `statement` stands on; nothing when it was torn.
std::optional<Known> read_row(const Statement& statement) {
  Known known;
  known.identity = {.device = static_cast<std::uint64_t>(statement.integer(1)),
                    .inode = static_cast<std::uint64_t>(statement.integer(0)),
                    .bytes = static_cast<std::uint64_t>(statement.integer(2)),
                    .modified_ns = statement.integer(3),
                    .changed_ns = statement.integer(4)};
  known.hex = statement.text(5);
  if (!is_hex_digest(known.hex) || statement.integer(6) != checksum_of(known.identity, known.hex)) return std::nullopt;
  return known;
}

class DigestTable final : public sys::FileDigests {
 public:
  enum class Use { keep, look_up };

  DigestTable(fs::path file, const DigestLimits& limits, Use use)
      : file_(std::move(file)),
        limits_(limits),
        use_(use),
        table_(use == Use::keep ? open_or_replace(file_) : open_to_read(file_)) {}
  ~DigestTable() override {
    const std::lock_guard lock(mutex_);
    write();
  }
  DigestTable(const DigestTable&) = delete;
  DigestTable& operator=(const DigestTable&) = delete;

  std::optional<std::string> find(const FileIdentity& identity) override {
    const std::lock_guard lock(mutex_);
    if (asked_ == limits_.lookups) load();
    const auto found = known_.find({identity.device, identity.inode});
    if (found == known_.end()) return read(identity);
    if (found->second.identity == identity) return found->second.hex;
    // Another process may have written a newer state since.
    return found->second.unwritten ? std::nullopt : read(identity);
  }

  void remember(const FileIdentity& identity, const std::string& hex) override {
    if (!is_hex_digest(hex)) return;
    const std::lock_guard lock(mutex_);
    Known& known = known_[{identity.device, identity.inode}];
    if (!known.unwritten) unwritten_.push_back({identity.device, identity.inode});
    known = {.identity = identity, .hex = hex, .unwritten = true};
    if (unwritten_.size() < next_write_) return;
    write();
    if (known_.size() >= limits_.in_memory) forget();
    next_write_ = unwritten_.size() + limits_.unwritten;  // a database that is busy is not asked again at once
  }

 private:
  std::optional<std::string> read(const FileIdentity& identity) {
    if (!table_) return std::nullopt;
    ++asked_;
    Statement& find = table_->find;
    find.query(identity.inode, identity.device);
    const Result<bool> row = find.step();
    if (!row) return give_up_on(row.error()), std::nullopt;
    if (!*row) return std::nullopt;
    std::optional<Known> known = read_row(find);
    find.reset();
    if (!known || known->identity != identity) return std::nullopt;
    return std::move(known->hex);
  }

  // A process that asks so often will ask for more: reading the newest at once is cheaper.
  void load() {
    ++asked_;
    if (!table_) return;
    Statement& all = table_->all;
    all.query(limits_.in_memory / 2);
    for (;;) {
      const Result<bool> row = all.step();
      if (!row) return give_up_on(row.error());
      if (!*row) return;
      std::optional<Known> known = read_row(all);
      if (known) known_.try_emplace({known->identity.device, known->identity.inode}, std::move(*known));
    }
  }

  void write() {
    if (!table_ || use_ == Use::look_up || unwritten_.empty()) return;
    if (Result<> written = write_all(); !written) return give_up_on(written.error());
    for (const FileKey& key : unwritten_) known_.at(key).unwritten = false;
    unwritten_.clear();
  }

  Result<> write_all() {
    Result<Transaction> transaction = Transaction::begin(*table_->database, Transaction::Kind::write);
    if (!transaction) return Failure(std::move(transaction).error());
    for (const FileKey& key : unwritten_) {
      const Known& known = known_.at(key);
      const FileIdentity& identity = known.identity;
      Result<> done = table_->insert.run(identity.inode, identity.device, identity.bytes, identity.modified_ns,
                                         identity.changed_ns, known.hex, checksum_of(identity, known.hex));
      if (!done) return done;
    }
    if (Result<> trimmed = table_->trim.run(limits_.rows); !trimmed) return trimmed;
    return transaction->commit();
  }

  void forget() {
    known_.clear();
    unwritten_.clear();
  }

  // From here on in memory alone, unless others were just busy. What is damaged is not left to the next process.
  void give_up_on(const Error& error) {
    if (error.code == ErrorCode::unavailable) return;
    table_.reset();
    if (use_ == Use::keep && is_worthless(error)) remove_database(file_);
  }

  const fs::path file_;
  const DigestLimits limits_;
  const Use use_;
  std::mutex mutex_;
  std::unique_ptr<Table> table_;  // null: in memory alone
  std::unordered_map<FileKey, Known, FileKeyHash> known_;
  std::vector<FileKey> unwritten_;  // each once
  std::size_t next_write_ = limits_.unwritten;
  std::size_t asked_ = 0;  // of the database
};

}  // namespace

std::unique_ptr<sys::FileDigests> open_file_digests(const fs::path& database) {
  return open_file_digests(database, DigestLimits{});
}

std::unique_ptr<sys::FileDigests> open_file_digests(const fs::path& database, const DigestLimits& limits) {
  return std::make_unique<DigestTable>(database, limits, DigestTable::Use::keep);
}

std::unique_ptr<sys::FileDigests> read_file_digests(const fs::path& database) {
  return std::make_unique<DigestTable>(database, DigestLimits{}, DigestTable::Use::look_up);
}

}  // namespace mlpipe::metadata
