// SPDX-License-Identifier: Apache-2.0
// One table says which keys there are, how a value is checked, and what it means; the parser, the
// default values and `--help-config` all follow from it. The file is the operator's own, yet it is
// read as strictly as anything else: a misspelt key must not silently keep a default.
#include "parent/conf.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/u256.h"
#include "net/client.h"

#include <stdlib.h>
#include <string.h>

#define CONF_FILE_MAX 65536

struct conf_key {
    const char *name;
    struct err (*set)(struct conf *conf, size_t offset, const char *value);
    size_t offset;
    const char *fallback; // NULL: the key must be given; "": may be absent
    bool many;
    const char *help;
};

static struct err conf_set_listen(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_addr(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_path(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_url(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_role(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_prefix(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_relay(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_connections(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_level(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_metrics(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_tunnel_listen(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_tunnel(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_source(struct conf *conf, size_t offset, const char *value);
static struct err conf_set_drain(struct conf *conf, size_t offset, const char *value);

#define CONF_AT(member) offsetof(struct conf, member)

static const struct conf_key conf_keys[] = {
    { "listen", conf_set_listen, CONF_AT(listen), NULL, false,
      "where REST is served: unix:///PATH or tcp://127.0.0.1:PORT" },
    { "token_file", conf_set_path, CONF_AT(token_file), NULL, false,
      "bearer token of REST; made with mode 0600 when it does not exist" },
    { "enclave", conf_set_addr, CONF_AT(enclave), NULL, false,
      "control plane of the enclave: vsock://CID:5000 (unix:///PATH for the emulator)" },
    { "configuration", conf_set_path, CONF_AT(configuration), NULL, false,
      "the measured configuration, as `cloister config build` wrote it" },
    { "store", conf_set_path, CONF_AT(store), NULL, false, "SQLite file of records and receipts" },
    { "imds", conf_set_url, CONF_AT(imds), "http://169.254.169.254", false,
      "instance metadata service (IMDSv2)" },
    { "role", conf_set_role, CONF_AT(role), "", false,
      "name of the instance role; when absent, the one that IMDS names" },
    { "relay_listen", conf_set_prefix, CONF_AT(relay_listen), "", false,
      "egress relay: vsock://ANY, or unix:///DIR/ for sockets DIR/8000, 8001, ..." },
    { "relay", conf_set_relay, CONF_AT(relay), "", true,
      "HOST tcp://TARGET:PORT: where bytes for that host of the configuration go; repeatable; "
      "hosts without a line go to tcp://HOST:443" },
    { "node", conf_set_url, CONF_AT(node), "", false,
      "JSON-RPC of the Ethereum node, for send-transaction" },
    { "connections", conf_set_connections, CONF_AT(connections), "4096", false,
      "how many REST connections at once, 16 to 4096; for a further one, the one that has waited "
      "longest for its client is closed" },
    { "tunnel_listen", conf_set_tunnel_listen, CONF_AT(tunnel_listen), "", false,
      "where clients of the data plane connect: tcp://ADDRESS:PORT, or unix:///PATH" },
    { "tunnel", conf_set_tunnel, CONF_AT(tunnel), "", false,
      "data plane of the enclave: vsock://CID:9000 (unix:///PATH for the emulator)" },
    { "tunnel_connections", conf_set_connections, CONF_AT(tunnel_connections), "4096", false,
      "how many clients at once, 16 to 4096; for a further one, the one that has waited longest is "
      "closed" },
    { "tunnel_source", conf_set_source, CONF_AT(tunnel_adds_source), "header", false,
      "header or none: whether the client's address is told to the enclave in a PROXY header" },
    { "tunnel_drain", conf_set_drain, CONF_AT(tunnel_drain_s), "10", false,
      "how many seconds clients have at the end for requests under way, 0 to 300" },
    { "log_level", conf_set_level, CONF_AT(log_level), "info", false,
      "debug, info, warn or error" },
    { "metrics", conf_set_metrics, CONF_AT(metrics_open), "token", false,
      "token or open: whether GET /metrics needs the token" },
};

#define CONF_KEYS ARRAY_LEN(conf_keys)

static struct err conf_line(struct conf *out, bool seen[static CONF_KEYS], char *line,
                            struct conf_problem *problem);

struct err conf_read(struct conf *out, const char *path, struct conf_problem *problem)
{
    uint8_t text[CONF_FILE_MAX];
    size_t n;

    *problem = (struct conf_problem) { 0 };
    TRY(fd_read_file(path, text, sizeof(text), &n));
    return conf_parse(out, bytes_of(text, n), problem);
}

// Defaults of keys that were not given; a key without default must have been.
static struct err conf_fill(struct conf *out, const bool seen[static CONF_KEYS],
                            struct conf_problem *problem)
{
    problem->line = 0;
    for (size_t i = 0; i < CONF_KEYS; i++) {
        const struct conf_key *key = &conf_keys[i];

        if (seen[i])
            continue;
        (void)bytes_to_str(bytes_str(key->name), problem->key, sizeof(problem->key));
        ENSURE(key->fallback, ERR_MALFORMED, "expected a line for this key");
        if (key->fallback[0])
            TRY(key->set(out, key->offset, key->fallback));
    }
    (void)bytes_to_str(BYTES_LIT("tunnel"), problem->key, sizeof(problem->key));
    ENSURE(!out->tunnel_listen.kind == !out->tunnel.kind, ERR_MALFORMED,
           "expected tunnel_listen and tunnel together");
    return OK;
}

struct err conf_parse(struct conf *out, struct bytes text, struct conf_problem *problem)
{
    bool seen[CONF_KEYS] = { false };
    char line[1024];

    *out = (struct conf) { 0 };
    *problem = (struct conf_problem) { 0 };
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;

        problem->line++;
        problem->key[0] = 0;
        ENSURE(bytes_to_str(bytes_take(text, n), line, sizeof(line)), ERR_MALFORMED,
               "expected a line of text of at most 1023 bytes");
        TRY(conf_line(out, seen, line, problem));
        text = bytes_skip(text, n + 1);
    }
    return conf_fill(out, seen, problem);
}

// Cuts blanks at both ends.
static char *conf_trim(char *text)
{
    size_t n;

    text += strspn(text, " \t");
    n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = 0;
    return text;
}

static bool conf_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static struct err conf_line(struct conf *out, bool seen[static CONF_KEYS], char *line,
                            struct conf_problem *problem)
{
    char *name = conf_trim(line);
    char *equals = strchr(name, '=');
    char *value;

    if (name[0] == 0 || name[0] == '#')
        return OK;
    ENSURE(equals, ERR_MALFORMED, "expected `key = value`");
    *equals = 0;
    value = conf_trim(equals + 1);
    name = conf_trim(name);
    (void)snprintf(problem->key, sizeof(problem->key), "%.60s", name);
    ENSURE(!conf_has_control(name) && !conf_has_control(value), ERR_MALFORMED,
           "expected text without control characters");
    ENSURE(value[0], ERR_MALFORMED, "expected a value");
    for (size_t i = 0; i < CONF_KEYS; i++) {
        if (strcmp(conf_keys[i].name, name) != 0)
            continue;
        ENSURE(!seen[i] || conf_keys[i].many, ERR_MALFORMED, "is given twice");
        seen[i] = true;
        return conf_keys[i].set(out, conf_keys[i].offset, value);
    }
    return FAIL(ERR_MALFORMED, "is not a key (see --help-config)");
}

static void *conf_field(struct conf *conf, size_t offset)
{
    return (uint8_t *)conf + offset;
}

static struct err conf_set_addr(struct conf *conf, size_t offset, const char *value)
{
    ENSURE(!addr_parse(conf_field(conf, offset), value).code, ERR_MALFORMED,
           "expected vsock://CID:PORT, unix:///PATH or tcp://HOST:PORT");
    return OK;
}

// The token crosses this socket in the clear, so that nothing but this machine may reach it.
static struct err conf_set_listen(struct conf *conf, size_t offset, const char *value)
{
    TRY(conf_set_addr(conf, offset, value));
    ENSURE(addr_is_local(&conf->listen), ERR_MALFORMED,
           "expected a Unix socket or a loopback address; put a TLS proxy before it for others");
    return OK;
}

static struct err conf_set_path(struct conf *conf, size_t offset, const char *value)
{
    ENSURE(bytes_to_str(bytes_str(value), conf_field(conf, offset), CONF_TEXT), ERR_MALFORMED,
           "expected a path of at most 255 bytes");
    return OK;
}

static struct err conf_set_url(struct conf *conf, size_t offset, const char *value)
{
    struct addr addr;
    bool https;
    char host[256], path[256];

    ENSURE(!client_parse_url(value, &addr, &https, host, path).code, ERR_MALFORMED,
           "expected http://HOST[:PORT][/PATH] or https://...");
    return conf_set_path(conf, offset, value);
}

static struct err conf_set_role(struct conf *conf, size_t offset, const char *value)
{
    // IAM names: alphanumeric and +=,.@_- (IAM User Guide, "Name requirements"). It becomes part of
    // a request's path.
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "+=,.@_-";

    ENSURE(strlen(value) <= 64 && strspn(value, allowed) == strlen(value), ERR_MALFORMED,
           "expected the name of an IAM role");
    return conf_set_path(conf, offset, value);
}

static struct err conf_set_prefix(struct conf *conf, size_t offset, const char *value)
{
    size_t n = strlen(value);

    ENSURE(strcmp(value, "vsock://ANY") == 0 ||
               (strncmp(value, "unix:///", 8) == 0 && value[n - 1] == '/' && n < 90),
           ERR_MALFORMED, "expected vsock://ANY or unix:///DIR/ (with the closing slash)");
    return conf_set_path(conf, offset, value);
}

static struct err conf_set_relay(struct conf *conf, size_t offset, const char *value)
{
    struct conf_relay *list = conf_field(conf, offset);
    struct conf_relay *relay = &list[conf->relays];
    size_t n = strcspn(value, " ");

    ENSURE(conf->relays < CONFIG_HOSTS, ERR_MALFORMED, "is given more than 16 times");
    ENSURE(bytes_to_str(bytes_of(value, n), relay->host, sizeof(relay->host)), ERR_MALFORMED,
           "expected a host name of at most 128 bytes");
    ENSURE(!addr_parse(&relay->target, value + n + strspn(value + n, " ")).code &&
               relay->target.kind != ADDR_VSOCK,
           ERR_MALFORMED, "expected HOST tcp://TARGET:PORT");
    for (size_t i = 0; i < conf->relays; i++)
        ENSURE(strcmp(conf->relay[i].host, relay->host) != 0, ERR_MALFORMED,
               "names this host twice");
    conf->relays++;
    return OK;
}

// False unless the text is a decimal number of this range.
static bool conf_number(unsigned *out, const char *value, unsigned least, unsigned most)
{
    struct u256 wide = { 0 };
    uint64_t n = 0;

    if (u256_parse_decimal(&wide, bytes_str(value)).code || u256_to_u64(&n, wide).code ||
        n < least || n > most)
        return false;
    *out = (unsigned)n;
    return true;
}

static struct err conf_set_connections(struct conf *conf, size_t offset, const char *value)
{
    ENSURE(conf_number(conf_field(conf, offset), value, 16, 4096), ERR_MALFORMED,
           "expected a number from 16 to 4096");
    return OK;
}

static struct err conf_set_drain(struct conf *conf, size_t offset, const char *value)
{
    ENSURE(conf_number(conf_field(conf, offset), value, 0, 300), ERR_MALFORMED,
           "expected a number from 0 to 300");
    return OK;
}

static struct err conf_set_tunnel_listen(struct conf *conf, size_t offset, const char *value)
{
    TRY(conf_set_addr(conf, offset, value));
    ENSURE(conf->tunnel_listen.kind != ADDR_VSOCK, ERR_MALFORMED,
           "expected tcp://ADDRESS:PORT or unix:///PATH");
    return OK;
}

// No name is resolved while clients wait, and what is behind TCP is no enclave of this machine.
static struct err conf_set_tunnel(struct conf *conf, size_t offset, const char *value)
{
    TRY(conf_set_addr(conf, offset, value));
    ENSURE(conf->tunnel.kind != ADDR_TCP, ERR_MALFORMED,
           "expected vsock://CID:PORT or unix:///PATH");
    return OK;
}

static struct err conf_set_source(struct conf *conf, size_t offset, const char *value)
{
    bool *adds = conf_field(conf, offset);

    *adds = strcmp(value, "header") == 0;
    ENSURE(*adds || strcmp(value, "none") == 0, ERR_MALFORMED, "expected header or none");
    return OK;
}

static struct err conf_set_level(struct conf *conf, size_t offset, const char *value)
{
    return log_parse_level(conf_field(conf, offset), value);
}

static struct err conf_set_metrics(struct conf *conf, size_t offset, const char *value)
{
    bool *open = conf_field(conf, offset);

    *open = strcmp(value, "open") == 0;
    ENSURE(*open || strcmp(value, "token") == 0, ERR_MALFORMED, "expected token or open");
    return OK;
}

struct err conf_load_configuration(const struct conf *conf, uint8_t buf[static CONFIG_BYTES_MAX],
                                   struct bytes *canonical, struct config *config)
{
    size_t n;

    TRY(fd_read_file(conf->configuration, buf, CONFIG_BYTES_MAX, &n));
    *canonical = bytes_of(buf, n);
    TRY(config_read(config, *canonical));
    for (size_t i = 0; i < conf->relays; i++)
        ENSURE(config_find_host(config, bytes_str(conf->relay[i].host)) >= 0, ERR_NOT_FOUND,
               "relay: a host is not listed in the measured configuration");
    return OK;
}

void conf_print_keys(FILE *out)
{
    (void)fputs("One `key = value` on each line; lines that start with # are comments.\n\n", out);
    for (size_t i = 0; i < CONF_KEYS; i++) {
        const struct conf_key *key = &conf_keys[i];

        (void)fprintf(out, "%-18s %s\n", key->name, key->help);
        if (!key->fallback)
            (void)fprintf(out, "%-18s (must be given)\n", "");
        else if (key->fallback[0])
            (void)fprintf(out, "%-18s (default: %s)\n", "", key->fallback);
    }
}
