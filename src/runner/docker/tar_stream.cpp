#include "runner/docker/tar_stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace mlpipe::runner::docker {
namespace {

constexpr std::size_t k_block = 512;
constexpr std::uint64_t k_ustar_size_limit = 0100000000000;  // 8 GiB: eleven octal digits

struct Header {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;
  std::array<char, 12> mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link;
  std::array<char, 6> magic;
  std::array<char, 2> version;
  std::array<char, 32> user;
  std::array<char, 32> group;
  std::array<char, 8> major;
  std::array<char, 8> minor;
  std::array<char, 155> prefix;
  std::array<char, 12> padding;
};
static_assert(sizeof(Header) == k_block);

template <std::size_t Size>
void put_text(std::array<char, Size>& field, std::string_view text) {
  std::copy_n(text.begin(), std::min(text.size(), Size), field.begin());
}

template <std::size_t Size>
void put_octal(std::array<char, Size>& field, std::uint64_t number) {
  put_text(field, fmt::format("{:0{}o}", number, Size - 1));
}

std::string header_block(std::string_view name, char type, std::uint32_t mode, std::uint64_t size,
                         std::string_view link) {
  Header header{};
  put_text(header.name, name);
  put_octal(header.mode, mode);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, size < k_ustar_size_limit ? size : 0);
  put_octal(header.mtime, 0);
  header.type = type;
  put_text(header.link, link);
  put_text(header.magic, "ustar");
  put_text(header.version, "00");
  header.checksum.fill(' ');
  std::string block(k_block, '\0');
  std::memcpy(block.data(), &header, k_block);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  const std::string text = fmt::format("{:06o}", sum);  // then NUL and a blank, by tradition
  std::memcpy(block.data() + offsetof(Header, checksum), text.c_str(), text.size() + 1);
  return block;
}

void pad(std::string& bytes) { bytes.resize((bytes.size() + k_block - 1) / k_block * k_block, '\0'); }

// "<length> <key>=<value>\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) length = fmt::formatted_size("{}", length) + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

bool fits(std::string_view text) {
  return text.size() < 100 && std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
}

std::string entry_head(const ContextFile& file) {
  const bool is_folder = file.kind == ContextFile::Kind::folder;
  const std::string name = is_folder ? file.path + "/" : file.path;
  const char type = is_folder ? '5' : file.kind == ContextFile::Kind::symlink ? '2' : '0';
  std::string records;
  if (!fits(name)) records += pax_record("path", name);
  if (!fits(file.target)) records += pax_record("linkpath", file.target);
  if (file.size >= k_ustar_size_limit) records += pax_record("size", fmt::format("{}", file.size));
  std::string head;
  if (!records.empty()) {
    head = header_block("pax", 'x', 0644, records.size(), "") + records;
    pad(head);
  }
  return head + header_block(name, type, file.mode, file.size, file.target);
}

}  // namespace

Result<std::string> TarStream::next() {
  if (ended_) return std::string();
  std::string bytes;
  if (reader_) {
    Result<std::string> piece = reader_->next();
    if (!piece) return piece;
    if (!piece->empty()) return piece;
    reader_.reset();
    bytes.resize(static_cast<std::size_t>((k_block - files_[index_].size % k_block) % k_block), '\0');
    ++index_;
  }
  if (index_ == files_.size()) {
    ended_ = true;
    bytes.append(2 * k_block, '\0');
    return bytes;
  }
  const ContextFile& file = files_[index_];
  bytes += entry_head(file);
  if (file.kind != ContextFile::Kind::file) {
    ++index_;
    return bytes;
  }
  Result<ContextReader> reader = ContextReader::open(file);
  if (!reader) return Failure(std::move(reader).error());
  reader_.emplace(std::move(*reader));
  return bytes;
}

}  // namespace mlpipe::runner::docker
