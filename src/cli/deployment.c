// SPDX-License-Identifier: Apache-2.0
// From the JSON that an operator writes to the bytes that the enclave measures. What is written is
// read back by the decoder that the vault uses, so that no configuration leaves this tool which the
// vault would refuse.
#include "cli/deployment.h"

#include "base/must.h"
#include "cli/confjson.h"
#include "cli/files.h"
#include "crypto/anchors.h"

#include <stdio.h>
#include <string.h>

#define JSON_TEXT_MAX  65536U
#define JSON_NODES_MAX 1024U

static uint8_t text[JSON_TEXT_MAX];
static uint8_t canonical[CONFIG_BYTES_MAX];

// As the vault would take it: also by kind of enclave, whose anchors are this tool's.
static FALLIBLE check(struct bytes bytes)
{
    struct config config;

    TRY(config_read(&config, bytes));
    ENSURE(config.anchor != CONFIG_ANCHOR_FILE || anchors_this.development, ERR_DENIED,
           "anchor: the kind file is for development only");
    return OK;
}

static FALLIBLE build(struct cli *cli, const char *path, size_t n, struct bytes *out)
{
    static struct json nodes[JSON_NODES_MAX];
    static struct confjson form;
    const struct json *root = NULL;
    struct wr wr = WR_OF(canonical);
    const char *slash = strrchr(path, '/');
    char folder[TRUST_PATH_MAX];
    struct err err;

    ENSURE(bytes_to_str(bytes_of(path, slash ? (size_t)(slash - path) + 1 : 0), folder,
                        sizeof(folder)),
           ERR_TOO_LARGE, "path is too long");
    (void)snprintf(cli->where, sizeof(cli->where), "%.90s: ", path);
    TRY(json_parse(&root, nodes, JSON_NODES_MAX, text, n));
    err = confjson_read(&form, root, folder);
    if (err.code && form.where[0])
        (void)snprintf(cli->where, sizeof(cli->where), "%.90s: %s: ", path, form.where);
    TRY(err);
    config_write(&wr, &form.config);
    TRY(wr_end(&wr));
    *out = wr_done(&wr);
    TRY(check(*out));
    cli->where[0] = 0;
    return OK;
}

// Reads a file of either form: JSON starts with a brace, the canonical form with its version.
static FALLIBLE read_either(struct cli *cli, const char *path, struct bytes *out)
{
    struct wr wr = WR_OF(text);
    size_t blanks = 0;

    TRY(cli_read(cli, path, &wr));
    while (blanks < wr.len && strchr(" \t\r\n", text[blanks]) && text[blanks])
        blanks++;
    if (blanks < wr.len && text[blanks] == '{')
        return build(cli, path, wr.len, out);
    *out = wr_done(&wr);
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", path);
    TRY(check(*out));
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE show(struct cli *cli, struct bytes bytes)
{
    struct config config;
    uint8_t pcr16[48];
    char deployment[ID_TEXT];

    TRY(config_read(&config, bytes));
    config_pcr16(pcr16, bytes);
    id_text(deployment, &config.deployment);
    out_str(&cli->out, "deployment", deployment);
    out_digits(&cli->out, "pcr16", BYTES_OF(pcr16));
    for (size_t i = 0; i < config.hosts && !cli->out.is_json; i++)
        out_text(&cli->out, "host", config.host[i]);
    return OK;
}

struct err deployment_build(struct cli *cli)
{
    struct wr wr = WR_OF(text);
    struct bytes bytes = BYTES_NONE;
    const char *path;
    const char *output;

    TRY(cli_word(cli, &path));
    TRY(cli_need(cli, "output", &output));
    TRY(cli_read(cli, path, &wr));
    TRY(build(cli, path, wr.len, &bytes));
    TRY(files_save(output, bytes));
    return show(cli, bytes);
}

struct err deployment_measure(struct cli *cli)
{
    struct bytes bytes = BYTES_NONE;
    const char *path;

    TRY(cli_word(cli, &path));
    TRY(read_either(cli, path, &bytes));
    return show(cli, bytes);
}
