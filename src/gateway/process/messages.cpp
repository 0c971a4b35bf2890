#include "gateway/process/messages.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/manifest_json.hpp"

// nlohmann finds these by the namespace of their arguments, so they cannot be anonymous.
namespace tollgate::gateway::message {

using Json = nlohmann::json;

void to_json(Json& json, const Start& start) {
  json = {{"worker", start.worker}};
  if (start.cpu) json["cpu"] = *start.cpu;
  if (start.identity) json["identity"] = {start.identity->uid, start.identity->gid};
}
void from_json(const Json& json, Start& start) {
  json.at("worker").get_to(start.worker);
  if (json.contains("cpu")) start.cpu = json.at("cpu").get<unsigned>();
  if (json.contains("identity")) {
    const Json& identity = json.at("identity");
    start.identity = Identity{identity.at(0).get<std::uint32_t>(), identity.at(1).get<std::uint32_t>()};
  }
}
void to_json(Json& json, const Drain& drain) {
  json = {{"limit_ms", drain.limit.count()}};
}
void from_json(const Json& json, Drain& drain) {
  drain.limit = std::chrono::milliseconds(json.at("limit_ms").get<std::int64_t>());
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Table, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Listeners, generation, addresses)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProgramEntry, module, manifest)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Programs, generation, entries)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Directories, generation, hosts)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Modules, generation, names)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Spawner, worker)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Commit, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Loaded, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Refused, generation, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Switch, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Switched, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Discard, generation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Upstream, host, addresses)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Upstreams, upstreams)

namespace {

// In the order of Message's alternatives.
constexpr std::string_view names[] = {"start",   "table",     "listeners", "programs", "directories",
                                      "commit",  "loaded",    "refused",   "switch",   "switched",
                                      "discard", "upstreams", "drain",     "modules",  "spawner"};
static_assert(std::size(names) == std::variant_size_v<Message>);

template <std::size_t Index = 0>
Message read_as(std::size_t index, const Json& json) {
  if constexpr (Index < std::variant_size_v<Message>) {
    if (index != Index) return read_as<Index + 1>(index, json);
    std::variant_alternative_t<Index, Message> message;
    from_json(json, message);
    return message;
  } else {
    throw std::out_of_range("message");
  }
}

}  // namespace

std::string encode(const Message& message) {
  Json body;
  std::visit([&body](const auto& content) { to_json(body, content); }, message);
  body["type"] = names[message.index()];
  // Paths may be any bytes; what is not UTF-8 cannot be carried and is replaced.
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

expected<Message, std::string> decode(std::string_view bytes) try {
  const Json body = Json::parse(bytes);
  const std::string& type = body.at("type").get_ref<const std::string&>();
  for (std::size_t index = 0; index < std::size(names); ++index) {
    if (names[index] == type) return read_as(index, body);
  }
  return unexpected(fmt::format("unknown message \"{}\"", type));
} catch (const std::exception& error) {
  return unexpected(fmt::format("malformed message: {}", error.what()));
}

}  // namespace tollgate::gateway::message
