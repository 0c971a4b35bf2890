// Reads one table of a configuration: each key by its notation, every fault collected, unknown keys refused.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config_error.hpp"
#include "gateway/config/config_values.hpp"
#include "gateway/config/environment.hpp"
#include "gateway/config/toml.hpp"

namespace tollgate::gateway {

// What all tables of one file share.
struct TomlSource {
  std::string file;
  const Environment& environment;
  ConfigErrors errors;
};

// Every getter leaves its target alone when the key is absent or faulty; a fault is added to the source's
// errors.
class TableReader {
 public:
  // `label` is the key path of the table in messages: "", "route[2]", "defaults.limits".
  TableReader(TomlSource& source, const toml::table& table, std::string label);

  // The keys of this table are the ones asked for, by any getter. Call last: reports the others.
  void refuse_unknown_keys();

  bool has(std::string_view key) const { return table_.contains(key); }
  // Counts as asked for, although this table has no use for it.
  void know(std::string_view key);
  bool is_table(std::string_view key) const { return table_[key].is_table(); }
  int line() const { return line_of(table_); }
  int line_of(std::string_view key) const;

  void string(std::string_view key, std::string& target);
  void boolean(std::string_view key, bool& target);
  // An integer, or a string that holds one (so that ${NAME} can set it).
  template <class Number>
  void integer(std::string_view key, Number& target, std::int64_t min, std::int64_t max) {
    if (const auto value = integer_in(key, min, max)) target = static_cast<Number>(*value);
  }
  void duration(std::string_view key, Milliseconds& target);
  void size(std::string_view key, std::uint64_t& target, std::uint64_t min, std::uint64_t max);
  // A string, or an array of strings.
  std::vector<std::string> strings(std::string_view key);
  std::vector<std::pair<std::string, std::string>> string_map(std::string_view key);
  // nullptr when absent or not a table.
  const toml::table* table(std::string_view key);
  // Tables of an array of tables; `key` is what messages call them.
  std::vector<const toml::table*> tables(std::string_view key);

  // Text of a key in a notation: `parse` gives an optional.
  template <class Target, class Parse>
  void parsed(std::string_view key, Target& target, Parse parse, std::string_view notation) {
    std::string text;
    if (!text_of(key, text, notation)) return;
    if (auto value = parse(std::string_view(text))) {
      target = *std::move(value);
    } else {
      fault(key, quoted(text), std::string(notation));
    }
  }

  void fault(std::string_view key, std::string found, std::string expected);
  void fault_at(int line, std::string_view key, std::string found, std::string expected);
  std::string label_of(std::string_view key) const;
  TomlSource& source() { return source_; }

  static std::string quoted(std::string_view text);

 private:
  const toml::node* find(std::string_view key);
  // False, with the fault told, when there is no text; `expected` is what should have been there.
  bool text_of(std::string_view key, std::string& text, std::string_view expected);
  bool expand_into(const toml::node& node, std::string_view key, std::string& text,
                   std::string_view expected);
  std::optional<std::int64_t> integer_in(std::string_view key, std::int64_t min, std::int64_t max);
  static int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

  TomlSource& source_;
  const toml::table& table_;
  std::string label_;
  std::vector<std::string> known_;
};

}  // namespace tollgate::gateway
