// The admin address: /metrics, /routes, /livez, /readyz. Served by the supervisor on its own listener;
// nothing here touches what a client of the gateway sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gateway/config/config.hpp"
#include "gateway/observe/metrics.hpp"
#include "http/exchange.hpp"

namespace tollgate::gateway {

// What the admin pages are made of. Implemented by the supervisor, asked on its thread, anew for each page.
class AdminSource {
 public:
  virtual ~AdminSource() = default;
  virtual MetricsSnapshot metrics() const = 0;
  virtual std::span<const Route> routes() const = 0;  // of the table that serves
  virtual bool quarantined(const Route& route) const = 0;
  // Every worker serves and no drain has begun.
  virtual bool ready() const = 0;
};

class Admin final : public http::Handler {
 public:
  explicit Admin(const AdminSource& source) : source_(source) {}

  Task<> handle(http::Exchange& exchange) override;
  void refused(const http::Reason&, std::string_view) override {
  }  // what the admin port refuses is no traffic of ours

 private:
  const AdminSource& source_;
};

// The content of /routes: a JSON array, one object per route in the order of the configuration.
std::string routes_json(const AdminSource& source);

}  // namespace tollgate::gateway
