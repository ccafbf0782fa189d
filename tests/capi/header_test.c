/* SPDX-License-Identifier: Apache-2.0
 * The header alone, as strict C99. */
#include "mycelial.h"

/* What foreign function interfaces rely on. */
typedef char error_size[sizeof(mycelial_error) == 8 + MYCELIAL_MESSAGE_BYTES ? 1 : -1];
typedef char options_size[sizeof(mycelial_options) == 56 + 2 * sizeof(void*) ? 1 : -1];
