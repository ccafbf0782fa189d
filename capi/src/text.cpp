// SPDX-License-Identifier: Apache-2.0
#include "handles.hpp"
#include "mycelial/version.hpp"

using namespace mycelial;

namespace mycelial::capi {

std::shared_ptr<Context> own_context(void* context, void (*destroy)(void*)) {
  Context* owned = nullptr;
  try {
    owned = new Context(context, destroy);
  } catch (...) {
    if (destroy != nullptr) destroy(context);
    throw;
  }
  return std::shared_ptr<Context>(owned);  // deletes `owned` if it throws
}

}  // namespace mycelial::capi

extern "C" {

uint32_t mycelial_abi_version(void) noexcept {
  return MYCELIAL_ABI_VERSION;
}

const char* mycelial_version(void) noexcept {
  return MYCELIAL_VERSION;
}

const char* mycelial_code_name(mycelial_code code) noexcept {
  return errc_name(static_cast<Errc>(code)).data();  // names are literals
}

const char* mycelial_text_data(const mycelial_text* text) noexcept {
  return text == nullptr ? "" : text->text.c_str();
}

size_t mycelial_text_size(const mycelial_text* text) noexcept {
  return text == nullptr ? 0 : text->text.size();
}

void mycelial_text_free(mycelial_text* text) noexcept {
  delete text;
}

}  // extern "C"
