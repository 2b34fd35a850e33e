// SPDX-License-Identifier: Apache-2.0
// For tables of refusals: one failing line names the case, the code and the text that came instead.
// Include it after cmocka.h.
#pragma once

#include "base/err.h"

#include <string.h>

// `what` is a part of the text that people see; NULL: any.
static inline void expect_err(const char *name, struct err err, enum err_code code,
                              const char *what)
{
    if (err.code != code)
        fail_msg("%s: %s (%s), expected %s", name, err_name(err.code), err_text(err),
                 err_name(code));
    if (what && !strstr(err_text(err), what))
        fail_msg("%s: said \"%s\", expected \"%s\"", name, err_text(err), what);
}

static inline void expect_ok(const char *name, struct err err)
{
    expect_err(name, err, ERR_NONE, NULL);
}
