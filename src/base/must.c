// SPDX-License-Identifier: Apache-2.0
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: must(%s) failed\n", file, line, what);
    abort();
}
