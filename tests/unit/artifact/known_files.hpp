#pragma once

#include <map>

#include "mlpipe/sys/file_digests.hpp"

namespace mlpipe::test {

// File digests in memory that count what is asked of them. The last state of each inode, as the real ones.
class KnownFiles final : public sys::FileDigests {
 public:
  std::optional<std::string> find(const sys::FileIdentity& identity) override {
    const auto known = known_.find({identity.device, identity.inode});
    const bool found = known != known_.end() && known->second.first == identity;
    (found ? hits : misses) += 1;
    return found ? std::optional(known->second.second) : std::nullopt;
  }
  void remember(const sys::FileIdentity& identity, const std::string& hex) override {
    known_[{identity.device, identity.inode}] = {identity, hex};
  }

  // How many files must have been read since: every miss is one.
  int take_misses() { return std::exchange(misses, 0); }
  std::size_t size() const { return known_.size(); }
  // Whatever is known becomes this, so that a test sees whether it is believed or the file read.
  void falsify(const std::string& hex) {
    for (auto& [inode, known] : known_) known.second = hex;
  }

  int hits = 0;
  int misses = 0;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<sys::FileIdentity, std::string>> known_;
};

}  // namespace mlpipe::test
