#include "gateway/config.hpp"

namespace tollgate::gateway {

std::string Route::name() const {
  std::string text = path;
  if (!host.empty()) text += " " + host;
  for (const std::string& method : methods) text += " " + method;
  return text;
}

}  // namespace tollgate::gateway
