#include "http/method.hpp"

#include <llhttp.h>

namespace tollgate::http {

Method method_of(std::uint8_t code) {
  switch (code) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_PUT:
      return Method::put;
    case HTTP_DELETE:
      return Method::delete_;
    case HTTP_OPTIONS:
      return Method::options;
    case HTTP_PATCH:
      return Method::patch;
    case HTTP_TRACE:
      return Method::trace;
    default:
      return Method::other;
  }
}

bool is_http_method(std::uint8_t code) {
  return code != HTTP_SOURCE && !(code >= HTTP_DESCRIBE && code <= HTTP_FLUSH);
}

bool is_served_method(std::string_view name) {
#define TOLLGATE_SERVES(code, text, string) \
  if (name == #string) return code != HTTP_CONNECT && code != HTTP_PRI && is_http_method(code);
  HTTP_ALL_METHOD_MAP(TOLLGATE_SERVES)
#undef TOLLGATE_SERVES
  return false;
}

}  // namespace tollgate::http
