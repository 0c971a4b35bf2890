// Storage for objects that come and go with each request: used again instead of freed, so that the request
// path allocates nothing once it is warm.
//
// Threads: one. The pool outlives its objects.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace tollgate {

template <class T>
class ObjectPool {
  struct Storage {
    alignas(T) std::byte bytes[sizeof(T)];
  };

 public:
  explicit ObjectPool(std::size_t idle_max) : idle_max_(idle_max) { idle_.reserve(idle_max); }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  class Return {
   public:
    explicit Return(ObjectPool* pool = nullptr) : pool_(pool) {}
    void operator()(T* object) const {
      std::destroy_at(object);
      pool_->keep(std::unique_ptr<Storage>(reinterpret_cast<Storage*>(object)));
    }

   private:
    ObjectPool* pool_;
  };
  using Pointer = std::unique_ptr<T, Return>;

  template <class... Arguments>
  Pointer make(Arguments&&... arguments) {
    std::unique_ptr<Storage> storage;
    if (idle_.empty()) {
      storage = std::make_unique<Storage>();
    } else {
      storage = std::move(idle_.back());
      idle_.pop_back();
    }
    T* const object = ::new (storage->bytes) T{std::forward<Arguments>(arguments)...};
    storage.release();
    return Pointer(object, Return(this));
  }

 private:
  void keep(std::unique_ptr<Storage> storage) {
    if (idle_.size() < idle_max_) idle_.push_back(std::move(storage));
  }

  std::size_t idle_max_;
  std::vector<std::unique_ptr<Storage>> idle_;
};

}  // namespace tollgate
