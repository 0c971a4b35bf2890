// Errors as values: the request path never throws.
#pragma once

#include <tl/expected.hpp>

namespace tollgate {

template <class T, class E>
using expected = tl::expected<T, E>;

template <class E>
constexpr tl::unexpected<std::decay_t<E>> unexpected(E&& error) {
  return tl::make_unexpected(std::forward<E>(error));
}

}  // namespace tollgate
