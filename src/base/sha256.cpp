#include "mlpipe/base/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <new>

#include "mlpipe/base/assert.hpp"

namespace mlpipe {
namespace {
struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

bool is_set_up() { return OSSL_LIB_CTX_get0_global_default() != nullptr; }
}  // namespace

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, ContextDeleter> handle{EVP_MD_CTX_new()};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  // It fails only for want of memory: said as `new` says it. A library that could not be set up crashes when it is used.
  if (!is_set_up() || !context_->handle) throw std::bad_alloc();
  if (EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  MLPIPE_ASSERT(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1);
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::finish_hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  MLPIPE_ASSERT(EVP_DigestFinal_ex(context_->handle.get(), digest.data(), &size) == 1);
  static constexpr char k_hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(std::size_t{size} * 2);
  for (unsigned i = 0; i < size; ++i) {
    text += k_hex[digest[i] >> 4];
    text += k_hex[digest[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.finish_hex();
}

}  // namespace mlpipe
