// SPDX-License-Identifier: Apache-2.0
#include "cli/passfile.h"

#include "cli/files.h"

#include <stdio.h>

void passfile_wipe(struct passfile *file)
{
    secret_wipe(&file->password);
}

static FALLIBLE read_password(struct cli *cli, struct secret *out)
{
    const char *fd = args_get(&cli->args, "password-fd");

    (void)snprintf(cli->where, sizeof(cli->where), "%s", fd ? "--password-fd: " : "");
    if (!fd)
        return secret_ask(out, "Password of the key file: ");
    TRY(secret_read(out, fd));
    if (out->n > 0 && out->b[out->n - 1] == '\n')
        out->n--;
    return OK;
}

struct err passfile_read(struct cli *cli, struct passfile *out, const char *option)
{
    static uint8_t file[PASSFILE_BYTES_MAX];
    const char *path;
    size_t n = 0;

    TRY(cli_need(cli, option, &path));
    (void)snprintf(cli->where, sizeof(cli->where), "--%s %.140s: ", option, path);
    TRY(files_read_secret(path, file, sizeof(file), &n));
    TRY(read_password(cli, &out->password));
    (void)snprintf(cli->where, sizeof(cli->where), "--%s %.140s: ", option, path);
    out->bytes = bytes_of(file, n);
    return OK;
}
