// SPDX-License-Identifier: Apache-2.0
// The canonical configuration. Its bytes come from the parent, but they are measured into PCR16
// before any key opens, so a lie in them opens nothing. Decoding has two steps: the structure, then
// the meaning of each field, so that a refusal can name the field.
#include "proto/config.h"

#include "base/must.h"
#include "crypto/openssl/approve.h"
#include "crypto/openssl/sha2.h"
#include "proto/anchor.h"
#include "proto/arn.h"
#include "proto/tag.h"

#define P256_BYTES      33U
#define RECOVERY_BYTES  32U
#define RECOVERY_MAX    512U // 16 recovery keys
#define PARAMETERS_MAX  1024U
#define REPEATED(field) field " is repeated"

static const char *const mode_names[] = { "unknown", "parent-trusted", "hostile-parent" };
static const char *const purpose_names[] = { "unknown", "accounts", "validators", "tls" };
static const char *const anchor_names[] = { "none", "file", "dynamodb" };

static FALLIBLE read_admins(struct config *out, struct rd *rd);
static FALLIBLE read_keysets(struct config *out, struct rd *rd);
static FALLIBLE read_networks(struct config *out, struct rd *rd);
static FALLIBLE read_hosts(struct config *out, struct rd *rd);
static FALLIBLE check_modes(const struct config *config);
static FALLIBLE check_admins(const struct config *config);
static FALLIBLE check_hosts(const struct config *config);
static FALLIBLE check_keyset(const struct config *config, size_t at);
static FALLIBLE check_network(const struct config *config, size_t at);
static FALLIBLE check_enforced(const struct config *config);

struct err config_read(struct config *out, struct bytes canonical)
{
    struct rd rd = rd_of(canonical);
    uint16_t version = rd_u16(&rd);

    ENSURE(canonical.n <= CONFIG_BYTES_MAX, ERR_TOO_LARGE,
           "configuration: expected at most 16384 bytes");
    ENSURE(rd.bad || version == CONFIG_VERSION, ERR_UNSUPPORTED,
           "configuration: version: expected 1");
    *out = (struct config) { .deployment = id_read(&rd) };
    out->mode = (enum config_mode)rd_u8(&rd);
    out->slashing = (enum config_mode)rd_u8(&rd);
    TRY(read_admins(out, &rd));
    TRY(read_keysets(out, &rd));
    TRY(read_networks(out, &rd));
    out->anchor = (enum config_anchor)rd_u8(&rd);
    out->anchor_parameters = rd_var16(&rd, PARAMETERS_MAX);
    TRY(read_hosts(out, &rd));
    TRY(rd_end(&rd));
    TRY(check_modes(out));
    TRY(check_admins(out));
    TRY(check_hosts(out));
    for (size_t i = 0; i < out->keysets; i++)
        TRY(check_keyset(out, i));
    for (size_t i = 0; i < out->networks; i++)
        TRY(check_network(out, i));
    return check_enforced(out);
}

static FALLIBLE read_admins(struct config *out, struct rd *rd)
{
    out->admin_threshold = rd_u8(rd);
    out->admins = rd_u8(rd);
    ENSURE(out->admins <= CONFIG_ADMINS, ERR_MALFORMED, "administrators: expected at most 16");
    for (size_t i = 0; i < out->admins; i++) {
        out->admin[i].type = (enum config_admin)rd_u8(rd);
        out->admin[i].key = rd_var8(rd, P256_BYTES);
    }
    return OK;
}

static FALLIBLE read_keysets(struct config *out, struct rd *rd)
{
    out->keysets = rd_u8(rd);
    ENSURE(out->keysets <= CONFIG_KEYSETS, ERR_MALFORMED, "keysets: expected at most 16");
    for (size_t i = 0; i < out->keysets; i++) {
        struct config_keyset *keyset = &out->keyset[i];

        keyset->name = rd_var8(rd, NAME_BYTES_MAX);
        keyset->purpose = (enum config_purpose)rd_u8(rd);
        keyset->k = rd_u8(rd);
        keyset->n = rd_u8(rd);
        ENSURE(keyset->n <= CONFIG_CMKS, ERR_MALFORMED, "keysets: keys: expected at most 5");
        for (size_t j = 0; j < keyset->n; j++)
            keyset->cmk[j] = rd_var16(rd, ARN_BYTES_MAX);
        keyset->recovery = rd_var16(rd, RECOVERY_MAX);
    }
    return OK;
}

static FALLIBLE read_networks(struct config *out, struct rd *rd)
{
    out->networks = rd_u8(rd);
    ENSURE(out->networks <= CONFIG_NETWORKS, ERR_MALFORMED, "networks: expected at most 32");
    for (size_t i = 0; i < out->networks; i++) {
        out->network[i].name = rd_var8(rd, NAME_BYTES_MAX);
        out->network[i].chain_id = rd_u64(rd);
    }
    return OK;
}

static FALLIBLE read_hosts(struct config *out, struct rd *rd)
{
    out->hosts = rd_u8(rd);
    ENSURE(out->hosts <= CONFIG_HOSTS, ERR_MALFORMED, "hosts: expected at most 16");
    for (size_t i = 0; i < out->hosts; i++)
        out->host[i] = rd_var8(rd, HOST_BYTES_MAX);
    return OK;
}

static FALLIBLE check_modes(const struct config *config)
{
    ENSURE(!id_is_zero(&config->deployment), ERR_MALFORMED, "deployment: expected an id, not zero");
    ENSURE(config->mode >= CONFIG_PARENT_TRUSTED && config->mode <= CONFIG_HOSTILE_PARENT,
           ERR_MALFORMED, "mode: expected parent-trusted or hostile-parent");
    ENSURE(config->slashing >= CONFIG_PARENT_TRUSTED && config->slashing <= CONFIG_HOSTILE_PARENT,
           ERR_MALFORMED, "slashing: expected parent-trusted or hostile-parent");
    ENSURE(config->anchor <= CONFIG_ANCHOR_DYNAMODB, ERR_MALFORMED,
           "anchor: expected none, file or dynamodb");
    ENSURE(config->anchor == CONFIG_ANCHOR_DYNAMODB || config->anchor_parameters.n == 0,
           ERR_MALFORMED, "anchor: the kinds none and file have no parameters");
    ENSURE(config->keysets >= 1, ERR_MALFORMED, "keysets: expected at least one");
    return OK;
}

static FALLIBLE check_admins(const struct config *config)
{
    ENSURE(config->admin_threshold <= config->admins, ERR_MALFORMED,
           "administrators: threshold: expected at most the number of keys");
    ENSURE((config->admin_threshold == 0) == (config->admins == 0), ERR_MALFORMED,
           "administrators: threshold: expected at least 1 with keys, 0 without");
    for (size_t i = 0; i < config->admins; i++) {
        const struct config_key *admin = &config->admin[i];

        ENSURE(!approve_check_key((enum approve_type)admin->type, admin->key).code, ERR_MALFORMED,
               "administrators: expected an Ed25519 or P-256 public key");
        for (size_t j = 0; j < i; j++)
            ENSURE(!bytes_equal(config->admin[j].key, admin->key), ERR_MALFORMED,
                   REPEATED("administrators: key"));
    }
    return OK;
}

static FALLIBLE check_hosts(const struct config *config)
{
    bool is_file = config->anchor == CONFIG_ANCHOR_FILE;

    ENSURE(is_file == (config_find_host(config, BYTES_LIT(ANCHOR_HOST)) >= 0), ERR_MALFORMED,
           "hosts: expected anchor.cloister.test with the anchor file, and with no other");
    for (size_t i = 0; i < config->hosts; i++) {
        ENSURE(arn_host_allowed(config->host[i]) ||
                   (is_file && bytes_equal_str(config->host[i], ANCHOR_HOST)),
               ERR_MALFORMED, "hosts: expected a KMS or DynamoDB endpoint of a region");
        ENSURE(config_find_host(config, config->host[i]) == (int)i, ERR_MALFORMED,
               REPEATED("hosts: host"));
    }
    return OK;
}

static FALLIBLE check_cmk(const struct config *config, const struct config_keyset *keyset,
                          size_t at)
{
    uint8_t host[HOST_BYTES_MAX];
    struct wr wr = WR_OF(host);
    struct arn arn;

    TRY(arn_parse(&arn, keyset->cmk[at]));
    arn_write_host(&wr, &arn);
    TRY(wr_end(&wr));
    ENSURE(config_find_host(config, wr_done(&wr)) >= 0, ERR_MALFORMED,
           "hosts: the KMS host of a key is missing");
    for (size_t i = 0; i < at; i++)
        ENSURE(!bytes_equal(keyset->cmk[i], keyset->cmk[at]), ERR_MALFORMED,
               REPEATED("keysets: key"));
    return OK;
}

static FALLIBLE check_keyset(const struct config *config, size_t at)
{
    const struct config_keyset *keyset = &config->keyset[at];

    ENSURE(config_name_ok(keyset->name), ERR_MALFORMED,
           "keysets: name: expected 1 to 32 of a-z 0-9 - _");
    ENSURE(config_find_keyset(config, keyset->name) == keyset, ERR_MALFORMED,
           REPEATED("keysets: name"));
    ENSURE(keyset->purpose >= CONFIG_ACCOUNTS && keyset->purpose <= CONFIG_TLS, ERR_MALFORMED,
           "keysets: purpose: expected accounts, validators or tls");
    ENSURE(keyset->k >= 1 && keyset->k <= keyset->n, ERR_MALFORMED,
           "keysets: threshold: expected 1 to the number of keys");
    ENSURE(keyset->recovery.n % RECOVERY_BYTES == 0, ERR_MALFORMED,
           "keysets: recovery: expected 32 bytes for each key");
    for (size_t i = 0; i < keyset->n; i++)
        TRY(check_cmk(config, keyset, i));
    return OK;
}

static FALLIBLE check_network(const struct config *config, size_t at)
{
    const struct config_network *network = &config->network[at];

    ENSURE(config_name_ok(network->name), ERR_MALFORMED,
           "networks: name: expected 1 to 32 of a-z 0-9 - _");
    ENSURE(network->chain_id >= 1 && network->chain_id <= CONFIG_CHAIN_ID_MAX, ERR_MALFORMED,
           "networks: chain_id: expected 1 to 2^63 - 37");
    ENSURE(config_find_chain(config, network->chain_id) == network, ERR_MALFORMED,
           REPEATED("networks: chain_id"));
    for (size_t i = 0; i < at; i++)
        ENSURE(!bytes_equal(config->network[i].name, network->name), ERR_MALFORMED,
               REPEATED("networks: name"));
    return OK;
}

// An operator who reads "hostile-parent" or a recovery key in a measured configuration
// relies on it. Better no enclave than one that ignores it.
static FALLIBLE check_enforced(const struct config *config)
{
    ENSURE(config->mode == CONFIG_PARENT_TRUSTED, ERR_UNSUPPORTED,
           "mode: this version supports parent-trusted only");
    ENSURE(config->slashing == CONFIG_PARENT_TRUSTED, ERR_UNSUPPORTED,
           "slashing: this version supports parent-trusted only");
    ENSURE(config->anchor != CONFIG_ANCHOR_DYNAMODB, ERR_UNSUPPORTED,
           "anchor: this version supports none and file only");
    ENSURE(config->anchor == CONFIG_ANCHOR_NONE || config->admins > 0, ERR_MALFORMED,
           "anchor: expected administrators (a seal that it keeps is theirs to undo)");
    for (size_t i = 0; i < config->keysets; i++)
        ENSURE(config->keyset[i].recovery.n == 0, ERR_UNSUPPORTED,
               "keysets: recovery: this version supports no recovery keys");
    return OK;
}

void config_write(struct wr *wr, const struct config *config)
{
    wr_u16(wr, CONFIG_VERSION);
    id_write(wr, &config->deployment);
    wr_u8(wr, (uint8_t)config->mode);
    wr_u8(wr, (uint8_t)config->slashing);
    wr_u8(wr, config->admin_threshold);
    wr_u8(wr, config->admins);
    for (size_t i = 0; i < config->admins && i < CONFIG_ADMINS; i++) {
        wr_u8(wr, (uint8_t)config->admin[i].type);
        wr_var8(wr, config->admin[i].key);
    }
    wr_u8(wr, config->keysets);
    for (size_t i = 0; i < config->keysets && i < CONFIG_KEYSETS; i++) {
        const struct config_keyset *keyset = &config->keyset[i];

        wr_var8(wr, keyset->name);
        wr_u8(wr, (uint8_t)keyset->purpose);
        wr_u8(wr, keyset->k);
        wr_u8(wr, keyset->n);
        for (size_t j = 0; j < keyset->n && j < CONFIG_CMKS; j++)
            wr_var16(wr, keyset->cmk[j]);
        wr_var16(wr, keyset->recovery);
    }
    wr_u8(wr, config->networks);
    for (size_t i = 0; i < config->networks && i < CONFIG_NETWORKS; i++) {
        wr_var8(wr, config->network[i].name);
        wr_u64(wr, config->network[i].chain_id);
    }
    wr_u8(wr, (uint8_t)config->anchor);
    wr_var16(wr, config->anchor_parameters);
    wr_u8(wr, config->hosts);
    for (size_t i = 0; i < config->hosts && i < CONFIG_HOSTS; i++)
        wr_var8(wr, config->host[i]);
}

void config_digest(uint8_t out[static 48], struct bytes canonical)
{
    struct sha2 sha;

    sha2_384_start(&sha);
    sha2_384_add(&sha, bytes_of(TAG_CONFIG, sizeof(TAG_CONFIG))); // with its zero byte
    sha2_384_add(&sha, canonical);
    sha2_384_end(&sha, out);
}

void config_pcr16(uint8_t out[static 48], struct bytes canonical)
{
    uint8_t zero_and_digest[96] = { 0 };

    config_digest(zero_and_digest + 48, canonical);
    sha2_384(out, BYTES_OF(zero_and_digest));
}

const struct config_keyset *config_find_keyset(const struct config *config, struct bytes name)
{
    for (size_t i = 0; i < config->keysets; i++)
        if (bytes_equal(config->keyset[i].name, name))
            return &config->keyset[i];
    return NULL;
}

const struct config_network *config_find_chain(const struct config *config, uint64_t chain_id)
{
    for (size_t i = 0; i < config->networks; i++)
        if (config->network[i].chain_id == chain_id)
            return &config->network[i];
    return NULL;
}

bool config_name_ok(struct bytes name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return name.n >= 1 && name.n <= NAME_BYTES_MAX;
}

int config_find_host(const struct config *config, struct bytes host)
{
    for (size_t i = 0; i < config->hosts; i++)
        if (bytes_equal(config->host[i], host))
            return (int)i;
    return -1;
}

const char *config_mode_name(enum config_mode mode)
{
    return mode_names[(unsigned)mode < ARRAY_LEN(mode_names) ? mode : 0];
}

const char *config_purpose_name(enum config_purpose purpose)
{
    return purpose_names[(unsigned)purpose < ARRAY_LEN(purpose_names) ? purpose : 0];
}

const char *config_anchor_name(enum config_anchor anchor)
{
    return (unsigned)anchor < ARRAY_LEN(anchor_names) ? anchor_names[anchor] : "unknown";
}
