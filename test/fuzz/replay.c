// SPDX-License-Identifier: Apache-2.0
// Feeds files, and the files of folders, to a fuzz target: how corpora and past finds run in every
// `make check`, with any compiler. For each input it also runs all its beginnings up to 256 bytes,
// since most parsers break at an early end.
#include "base/must.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX ((size_t)1 << 20)
#define CUTS_MAX  256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned replayed;

// In memory of exactly n bytes, so that a sanitizer sees one byte too many.
static void replay_bytes(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    must(copy != NULL);
    memcpy(copy, data, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t n;

    must(file != NULL);
    n = fread(data, 1, sizeof(data), file);
    must(fclose(file) == 0);
    for (size_t cut = 0; cut < n && cut < CUTS_MAX; cut++)
        replay_bytes(data, cut);
    replay_bytes(data, n);
    replayed++;
}

static void replay_folder(const char *path)
{
    DIR *folder = opendir(path);

    must(folder != NULL);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char inner[4096];

        if (entry->d_name[0] == '.')
            continue;
        must(snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) < (int)sizeof(inner));
        replay_file(inner);
    }
    must(closedir(folder) == 0);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat status;

        must(stat(argv[i], &status) == 0);
        if (S_ISDIR(status.st_mode))
            replay_folder(argv[i]);
        else
            replay_file(argv[i]);
    }
    (void)printf("replayed %u inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
