// SPDX-License-Identifier: Apache-2.0
// Constant time: every function that takes a secret, called with bytes that memcheck takes for
// undefined. `ctime GROUP` runs one group, `ctime` prints the groups' names; test/ctime/run starts
// it under valgrind. The group "planted" leaks on purpose and must be found.
#include "ctime.h"

#include <stdio.h>
#include <string.h>

static const struct ctime_group *const tables[] = { ctime_groups_crypto, ctime_groups_rsa,
                                                    ctime_groups_vault, ctime_groups_ceremony };

static void print_names(void)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct ctime_group *g = tables[i]; g->name; g++)
            (void)puts(g->name);
}

static const struct ctime_group *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct ctime_group *g = tables[i]; g->name; g++)
            if (strcmp(g->name, name) == 0)
                return g;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct ctime_group *group;

    if (argc < 2) {
        print_names();
        return 0;
    }
    group = find(argv[1]);
    if (!group || !RUNNING_ON_VALGRIND) {
        (void)fputs(group ? "ctime: expected to run under valgrind\n" : "ctime: no such group\n",
                    stderr);
        return 2;
    }
    group->run();
    return 0;
}
