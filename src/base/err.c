// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <string.h>

#define ERR_NAME(code, name, text) name,
#define ERR_TEXT(code, name, text) text,
static const char *const names[] = { ERR_LIST(ERR_NAME) };
static const char *const texts[] = { ERR_LIST(ERR_TEXT) };

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? names[code] : names[ERR_INTERNAL];
}

const char *err_text(struct err err)
{
    if (err.what)
        return err.what;
    return (unsigned)err.code < ERR_CODES ? texts[err.code] : texts[ERR_INTERNAL];
}

enum err_code err_code_of(const char *name)
{
    for (unsigned i = 0; i < ERR_CODES; i++)
        if (strcmp(names[i], name) == 0)
            return (enum err_code)i;
    return ERR_INTERNAL;
}
