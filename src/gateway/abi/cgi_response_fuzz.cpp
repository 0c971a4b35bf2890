// Any bytes a guest may write: refused with a sentence, or a response whose parts a connection may send as
// they are.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/abi/cgi_response.hpp"
#include "http/field_policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tollgate::gateway::abi;
  const std::string_view output(reinterpret_cast<const char*>(data), size);
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  CgiResponse response;
  const auto read = read_cgi_response(output, response);
  if (!read) {
    require(!read.error().sentence.empty());
    return 0;
  }
  require(response.status >= 200 && response.status <= 599);
  require(response.fields.size() <= cgi_fields_max);
  require(output.ends_with(response.body));
  for (const auto& field : response.fields) {
    require(tollgate::http::is_token(field.name) && !tollgate::http::is_framing_or_hop_by_hop(field.name));
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  return 0;
}
