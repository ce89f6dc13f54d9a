#include "runner/docker/registry_auth.hpp"

#include <utility>
#include <vector>

#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"
#include "mlpipe/sys/subprocess.hpp"

namespace mlpipe::runner::docker {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view k_docker_hub = "https://index.docker.io/v1/";
constexpr std::uint64_t k_config_limit = 16 * 1024 * 1024;

// "https://gcr.io/v2/" and "gcr.io" name the same registry in config.json.
std::string_view host_of(std::string_view server) {
  if (const std::size_t scheme = server.find("://"); scheme != std::string_view::npos) server.remove_prefix(scheme + 3);
  return server.substr(0, server.find('/'));
}

Value auth_config(std::string_view server, const std::string& user, const std::string& secret) {
  // Helpers give an OAuth token under this name.
  if (user == "<token>") return Value::Struct{{"identitytoken", secret}, {"serveraddress", server}};
  return Value::Struct{{"username", user}, {"password", secret}, {"serveraddress", server}};
}

// An entry of "auths", when it holds a credential (with a credentials store it is empty).
std::optional<Value> stored_credentials(const Value& entry, std::string_view server) {
  if (const std::string token = entry.text_or("identitytoken", ""); !token.empty())
    return auth_config(server, "<token>", token);
  if (const std::string user = entry.text_or("username", ""); !user.empty()) {
    return auth_config(server, user, entry.text_or("password", ""));
  }
  const std::optional<std::string> pair = from_base64(entry.text_or("auth", ""));
  if (!pair) return std::nullopt;
  const std::size_t colon = pair->find(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  std::string secret = pair->substr(colon + 1);
  secret.erase(secret.find_last_not_of('\0') + 1);
  return auth_config(server, pair->substr(0, colon), secret);
}

const Value* entry_for(const Value* table, std::string_view server) {
  if (table == nullptr || !table->is_struct()) return nullptr;
  if (const Value* exact = table->find(server); exact != nullptr) return exact;
  for (const auto& [name, entry] : table->as_struct()) {
    if (host_of(name) == host_of(server)) return &entry;
  }
  return nullptr;
}

}  // namespace

std::string registry_of(std::string_view reference) {
  const std::size_t slash = reference.find('/');
  if (slash == std::string_view::npos) return std::string(k_docker_hub);
  const std::string_view first = reference.substr(0, slash);
  const bool is_host = first.find_first_of(".:") != std::string_view::npos || first == "localhost";
  if (!is_host || first == "docker.io" || first == "index.docker.io") return std::string(k_docker_hub);
  return std::string(first);
}

RegistryAuth::RegistryAuth(std::filesystem::path config_folder, Environment environment)
    : config_folder_(std::move(config_folder)), environment_(std::move(environment)) {}

Result<Value> RegistryAuth::load_config() const {
  if (config_folder_.empty()) return Value(Value::Struct{});
  const std::filesystem::path file = config_folder_ / "config.json";
  const Result<std::string> text = sys::read_file(file, k_config_limit);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return Value(Value::Struct{});
    return Failure(text.error());
  }
  return parse_json(*text, file.string());
}

Result<std::optional<Value>> RegistryAuth::ask_helper(const std::string& helper, const std::string& server) const {
  const std::string program = "docker-credential-" + helper;
  sys::CommandOptions options;
  options.input = server;
  options.deadline = 30s;
  for (const auto& [name, value] : environment_) options.env.emplace_back(name, value);
  const Result<sys::CommandResult> result = sys::run_command({program, "get"}, options);
  if (!result) return within(fmt::format("asking {} for the credentials of {}", program, server), result.error());
  if (!result->ok()) {
    // The helpers' protocol: "none" is a failure with this text on standard output.
    const std::string said = to_lower(result->out + result->err);
    if (said.find("credentials not found") != std::string::npos) return std::optional<Value>();
    return fail_with_hint(ErrorCode::permission,
                          fmt::format("{} gives no credentials for {}: {}", program, server,
                                      shorten(printable(trim(result->err.empty() ? result->out : result->err)), 300)),
                          "log in again, or remove the helper from Docker's config.json");
  }
  const Result<Value> answer = parse_json(result->out, program);
  // The parser's message could quote what it stumbled over, so it is not passed on.
  if (!answer) return fail(ErrorCode::permission, "{} answers for {} with something that is not JSON", program, server);
  const std::string user = answer->text_or("Username", "");
  if (user.empty()) return std::optional<Value>();
  return std::optional<Value>(auth_config(server, user, answer->text_or("Secret", "")));
}

Result<std::optional<Value>> RegistryAuth::credentials(const Value& config, const std::string& server) const {
  const Value* helper = entry_for(config.find("credHelpers"), server);
  if (helper != nullptr && helper->is_string()) return ask_helper(helper->as_string(), server);
  if (const std::string store = config.text_or("credsStore", ""); !store.empty()) {
    Result<std::optional<Value>> found = ask_helper(store, server);
    if (!found || *found) return found;
  }
  const Value* entry = entry_for(config.find("auths"), server);
  return entry == nullptr ? std::optional<Value>() : stored_credentials(*entry, server);
}

Result<std::optional<std::string>> RegistryAuth::for_pull(std::string_view reference) const {
  const Result<Value> config = load_config();
  if (!config) return within("reading registry credentials", config.error());
  const Result<std::optional<Value>> found = credentials(*config, registry_of(reference));
  if (!found) return Failure(found.error());
  if (!*found) return std::optional<std::string>();
  return std::optional(to_base64_url(to_json(**found)));
}

Result<std::optional<std::string>> RegistryAuth::for_build() const {
  const Result<Value> config = load_config();
  if (!config) return within("reading registry credentials", config.error());
  Value::Struct all;
  for (const char* table : {"auths", "credHelpers"}) {
    const Value* servers = config->find(table);
    if (servers == nullptr || !servers->is_struct()) continue;
    for (const auto& [server, ignored] : servers->as_struct()) {
      const Result<std::optional<Value>> found = credentials(*config, server);
      if (found && *found) all[server] = **found;
    }
  }
  if (all.empty()) return std::optional<std::string>();
  return std::optional(to_base64_url(to_json(Value(std::move(all)))));
}

}  // namespace mlpipe::runner::docker
