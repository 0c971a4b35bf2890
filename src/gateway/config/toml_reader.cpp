#include "gateway/config/toml_reader.hpp"

#include <algorithm>
#include <charconv>

namespace tollgate::gateway {
namespace {

constexpr std::size_t shown_text_bytes_max = 120;
constexpr std::string_view a_string = "a string";

std::string describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return TableReader::quoted(text->get());
  if (const auto* number = node.as_integer()) return "the integer " + std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_floating_point()) return "a floating-point number";
  if (node.is_array()) return "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

}  // namespace

TableReader::TableReader(TomlSource& source, const toml::table& table, std::string label)
    : source_(source), table_(table), label_(std::move(label)) {}

std::string TableReader::quoted(std::string_view text) {
  std::string shown = "\"";
  for (const char c : text.substr(0, shown_text_bytes_max)) {
    if (c == '\n') {
      shown += "\\n";
    } else {
      shown += c;
    }
  }
  return shown + (text.size() > shown_text_bytes_max ? "...\"" : "\"");
}

std::string TableReader::label_of(std::string_view key) const {
  if (label_.empty()) return std::string(key);
  return key.empty() ? label_ : label_ + "." + std::string(key);
}

int TableReader::line_of(std::string_view key) const {
  const toml::node* node = table_.get(key);
  return node != nullptr ? line_of(*node) : line();
}

void TableReader::fault(std::string_view key, std::string found, std::string expected) {
  fault_at(line_of(key), key, std::move(found), std::move(expected));
}

void TableReader::fault_at(int line, std::string_view key, std::string found, std::string expected) {
  source_.errors.push_back({source_.file, line, label_of(key), std::move(found), std::move(expected)});
}

void TableReader::refuse_unknown_keys() {
  for (const auto& [key, node] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    std::string expected;
    if (const std::string_view suggestion = nearest(key.str(), known_); !suggestion.empty()) {
      expected = "the key \"" + std::string(suggestion) + "\"";
    } else {
      expected = "one of";
      for (const std::string& known : known_) expected += (&known == &known_.front() ? " " : ", ") + known;
    }
    fault_at(static_cast<int>(key.source().begin.line), key.str(), "an unknown key", std::move(expected));
  }
}

void TableReader::know(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
}

const toml::node* TableReader::find(std::string_view key) {
  know(key);
  return table_.get(key);
}

bool TableReader::expand_into(const toml::node& node, std::string_view key, std::string& text,
                              std::string_view expected) {
  const auto* raw = node.as_string();
  if (raw == nullptr) {
    fault_at(line_of(node), key, describe(node), std::string(expected));
    return false;
  }
  auto expanded = expand(raw->get(), source_.environment);
  if (!expanded) {
    fault_at(line_of(node), key, expanded.error().found, expanded.error().expected);
    return false;
  }
  text = *std::move(expanded);
  return true;
}

bool TableReader::text_of(std::string_view key, std::string& text, std::string_view expected) {
  const toml::node* node = find(key);
  return node != nullptr && expand_into(*node, key, text, expected);
}

void TableReader::string(std::string_view key, std::string& target) {
  std::string text;
  if (text_of(key, text, a_string)) target = std::move(text);
}

void TableReader::boolean(std::string_view key, bool& target) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (const auto* flag = node->as_boolean()) {
    target = flag->get();
  } else {
    fault(key, describe(*node), "true or false");
  }
}

std::optional<std::int64_t> TableReader::integer_in(std::string_view key, std::int64_t min,
                                                    std::int64_t max) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::int64_t> value;
  std::string found = describe(*node);
  if (const auto* number = node->as_integer()) {
    value = number->get();
  } else if (node->is_string()) {
    std::string text;
    if (!expand_into(*node, key, text, a_string)) return std::nullopt;
    std::int64_t number_in_text = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number_in_text);
    if (error == std::errc() && end == text.data() + text.size()) value = number_in_text;
    found = quoted(text);
  }
  if (value && *value >= min && *value <= max) return value;
  fault(key, std::move(found), "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

void TableReader::duration(std::string_view key, Milliseconds& target) {
  parsed(key, target, parse_duration, duration_notation);
}

void TableReader::size(std::string_view key, std::uint64_t& target, std::uint64_t min, std::uint64_t max) {
  const toml::node* node = table_.get(key);
  std::optional<std::uint64_t> bytes;
  std::string found;
  if (node != nullptr && node->is_integer()) {
    find(key);
    found = describe(*node);
    const std::int64_t number = node->as_integer()->get();
    if (number >= 0) bytes = static_cast<std::uint64_t>(number);
  } else {
    std::string text;
    if (!text_of(key, text, size_notation)) return;
    found = quoted(text);
    bytes = parse_size(text);
  }
  if (!bytes) return fault(key, std::move(found), std::string(size_notation));
  if (*bytes < min || *bytes > max) {
    return fault(key, std::move(found),
                 "a size from " + std::to_string(min) + " to " + std::to_string(max) + " bytes");
  }
  target = *bytes;
}

std::vector<std::string> TableReader::strings(std::string_view key) {
  std::vector<std::string> result;
  const toml::node* node = find(key);
  if (node == nullptr) return result;
  std::string text;
  if (const auto* array = node->as_array()) {
    for (const toml::node& element : *array) {
      if (expand_into(element, key, text, a_string)) result.push_back(std::move(text));
    }
  } else if (!node->is_string()) {
    fault(key, describe(*node), "a string or an array of strings");
  } else if (expand_into(*node, key, text, a_string)) {
    result.push_back(std::move(text));
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> TableReader::string_map(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> result;
  const toml::table* entries = table(key);
  if (entries == nullptr) return result;
  for (const auto& [name, node] : *entries) {
    std::string text;
    const std::string label = std::string(key) + "." + std::string(name.str());
    if (expand_into(node, label, text, a_string))
      result.emplace_back(std::string(name.str()), std::move(text));
  }
  return result;
}

const toml::table* TableReader::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) fault(key, describe(*node), "a table");
  return node->as_table();
}

std::vector<const toml::table*> TableReader::tables(std::string_view key) {
  std::vector<const toml::table*> result;
  const toml::node* node = find(key);
  if (node == nullptr) return result;
  const auto* array = node->as_array();
  if (array == nullptr) {
    fault(key, describe(*node), "an array of tables");
    return result;
  }
  for (const toml::node& element : *array) {
    if (const auto* table = element.as_table()) {
      result.push_back(table);
    } else {
      fault_at(line_of(element), key, describe(element), "a table");
    }
  }
  return result;
}

}  // namespace tollgate::gateway
