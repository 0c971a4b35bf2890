#include "gateway/backends/native/json.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "gateway/backends/native/content_type.hpp"
#include "gateway/reasons.hpp"

namespace tollgate::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t depth_max = 512;
constexpr std::size_t added_bytes = 64;

// Writes the events of one document out again. Works on the events and not on a tree: that keeps the order of
// members, is linear whatever the document says, and does not recurse.
class Rewriter final : public nlohmann::json_sax<json> {
 public:
  explicit Rewriter(std::size_t document_bytes) { out_.reserve(document_bytes + added_bytes); }

  std::string take_output() { return std::move(out_); }
  const std::string& error() const { return error_; }

  bool null() override { return scalar("null"); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  // As it was written: no digit is lost.
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& value) override {
    if (!begin_value()) return false;
    if (!skipping_) write_string(value);
    return end_value();
  }

  bool start_object(std::size_t) override { return open('{'); }
  bool end_object() override {
    if (open_.size() == 1) {
      separate();
      out_ += "\"tollgate\":true,\"count\":" + std::to_string(top_level_members_);
    }
    return close('}');
  }
  bool start_array(std::size_t) override { return open('['); }
  bool end_array() override { return close(']'); }

  bool key(string_t& name) override {
    if (open_.size() == 1) {
      ++top_level_members_;
      skipping_ = name == "tollgate" || name == "count";
    }
    if (skipping_) return true;
    separate();
    write_string(name);
    out_ += ':';
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error_ = "It is not valid JSON at byte " + std::to_string(position) + ".";
    return false;
  }

 private:
  struct Level {
    bool is_array;
    bool has_members = false;
  };

  // The comma before a member or an element, if one came before.
  void separate() {
    if (std::exchange(open_.back().has_members, true)) out_ += ',';
  }

  bool begin_value() {
    if (open_.empty()) {
      error_ = "It is not a JSON object.";
      return false;
    }
    if (!skipping_ && open_.back().is_array) separate();
    return true;
  }

  // A left-out member ends with its value at the top level.
  bool end_value() {
    if (open_.size() == 1) skipping_ = false;
    return true;
  }

  bool scalar(std::string_view text) {
    if (!begin_value()) return false;
    if (!skipping_) out_ += text;
    return end_value();
  }

  bool open(char bracket) {
    if (open_.empty() ? bracket == '[' : open_.size() == depth_max) {
      error_ = open_.empty() ? "It is not a JSON object." : "It is nested too deeply.";
      return false;
    }
    if (!open_.empty()) begin_value();
    if (!skipping_) out_ += bracket;
    open_.push_back({bracket == '['});
    return true;
  }

  bool close(char bracket) {
    open_.pop_back();
    if (!skipping_) out_ += bracket;
    return end_value();
  }

  void write_string(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    out_ += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (byte >= 0x20) {
        out_ += c;
      } else {
        out_ += "\\u00";
        out_ += digits[byte >> 4];
        out_ += digits[byte & 15];
      }
    }
    out_ += '"';
  }

  std::string out_;
  std::string error_;
  std::vector<Level> open_;
  std::size_t top_level_members_ = 0;
  bool skipping_ = false;
};

}  // namespace

expected<std::string, std::string> transform_json(std::string_view document) {
  Rewriter rewriter(document.size());
  if (json::sax_parse(document.begin(), document.end(), &rewriter)) return rewriter.take_output();
  return unexpected(rewriter.error());
}

JsonBackend::JsonBackend(const Route& route) : fields_(content_type(route, application_json)) {}

Task<> JsonBackend::serve(RequestContext& context) {
  http::BodyReader& body = context.exchange.body;
  std::optional<std::string_view> document = body.all_if_buffered();
  std::string gathered;
  while (!document) {
    const expected<std::string_view, const http::Reason*> piece = co_await body.read();
    if (!piece) {
      context.reason = piece.error();
      co_return;
    }
    if (piece->empty()) {
      document = gathered;
    } else {
      gathered.append(*piece);
    }
  }
  const expected<std::string, std::string> transformed = transform_json(*document);
  if (!transformed) {
    context.reason = &reasons::bad_document;
    context.detail = transformed.error();
    co_return;
  }
  const http::ResponseHead head{200, fields_};
  const auto sent = co_await context.exchange.response.send(head, *transformed);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
