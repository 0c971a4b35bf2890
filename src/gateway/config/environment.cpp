#include "gateway/config/environment.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/utf8.hpp"

namespace tollgate::gateway {
namespace {

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

expected<std::string, ExpansionError> value_of(std::string_view reference, const Environment& environment) {
  const std::size_t separator = reference.find(":-");
  const std::string name(reference.substr(0, separator));
  if (!is_variable_name(name)) {
    return unexpected(ExpansionError{"${" + std::string(reference) + "}", "${NAME} or ${NAME:-default}"});
  }
  std::optional<std::string> value = environment(name);
  if (separator != std::string_view::npos && (!value || value->empty())) {
    return std::string(reference.substr(separator + 2));
  }
  if (!value) {
    return unexpected(ExpansionError{"${" + name + "}, which is not set in the environment",
                                     "a set variable, or a default as in ${" + name + ":-default}"});
  }
  if (!is_utf8(*value)) {
    return unexpected(ExpansionError{"${" + name + "}, which is not UTF-8", "text in UTF-8"});
  }
  return *std::move(value);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

expected<std::string, ExpansionError> expand(std::string_view text, const Environment& environment) {
  std::string result;
  while (true) {
    const std::size_t begin = text.find("${");
    if (begin == std::string_view::npos) return result += text;
    if (begin > 0 && text[begin - 1] == '$') {
      result.append(text.substr(0, begin - 1)).append("${");
      text.remove_prefix(begin + 2);
      continue;
    }
    const std::size_t end = text.find('}', begin);
    if (end == std::string_view::npos) {
      return unexpected(
          ExpansionError{"\"${\" without \"}\"", "${NAME} or ${NAME:-default}; \"$${\" stands for \"${\""});
    }
    expected<std::string, ExpansionError> value =
        value_of(text.substr(begin + 2, end - begin - 2), environment);
    if (!value) return value;
    result.append(text.substr(0, begin)).append(*value);
    text.remove_prefix(end + 1);
  }
}

}  // namespace tollgate::gateway
