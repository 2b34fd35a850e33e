// SPDX-License-Identifier: Apache-2.0
// Accounts: the front compiles a creation's policy into its canonical form, the vault reads it
// again. An account without a policy has to be asked for in so many words. An imported key passes
// through here as its owner sealed it.
#include "front/accounts.h"

#include "base/hex.h"
#include "front/params.h"
#include "front/report.h"

#define CANONICAL_BYTES 16U // policies and authorisers of version 1

struct err accounts_ask(struct call *call, const struct json *params, enum policy_kind kind,
                        const struct accounts_way *way)
{
    struct policy policy = { .kind = kind };
    uint8_t policy_space[CANONICAL_BYTES], authorisers_space[CANONICAL_BYTES];
    struct wr policy_wr = WR_OF(policy_space), authorisers_wr = WR_OF(authorisers_space);
    struct msg_account_create m = { 0 };
    struct wr *wr;

    ENSURE(!id_parse(&m.keyset, json_string(json_get(params, "keyset"))).code, ERR_MALFORMED,
           "keyset: expected an id of 32 lower-case hex digits");
    TRY(params_read_nonce(&m.nonce, params));
    policy_write(&policy_wr, &policy);
    policy_write_no_authorisers(&authorisers_wr);
    TRY(wr_end(&policy_wr));
    TRY(wr_end(&authorisers_wr));
    m.policy = wr_done(&policy_wr);
    m.authorisers = wr_done(&authorisers_wr);
    TRY(link_begin(call->core->link, &wr, way->type, 256));
    msg_write_account_create(wr, &m);
    return link_end(call->core->link, (struct link_done) { way->done, call });
}

static struct err accounts_ask_unrestricted(struct call *call, const struct json *params,
                                            const struct accounts_way *way)
{
    ENSURE(json_is_true(json_get(params, "unrestricted")), ERR_MALFORMED,
           "unrestricted: expected true, the only policy of this version");
    return accounts_ask(call, params, POLICY_UNRESTRICTED, way);
}

struct err accounts_create(struct call *call, const struct json *params)
{
    return accounts_ask_unrestricted(
        call, params, &(struct accounts_way) { MSG_ACCOUNT_CREATE, report_account_created });
}

struct err accounts_open(struct call *call, const struct json *params)
{
    struct bytes record;

    TRY(params_read_blob(&record, params, &params_record));
    return call_ask(call, MSG_ACCOUNT_OPEN, record, report_account_opened);
}

struct err accounts_import_begin(struct call *call, const struct json *params)
{
    return accounts_ask_unrestricted(
        call, params, &(struct accounts_way) { MSG_IMPORT_BEGIN, report_import_ready });
}

struct err accounts_import_finish(struct call *call, const struct json *params)
{
    static const struct params_blob sealed =
        PARAMS_BLOB("ciphertext_b64", MSG_IMPORT_CIPHER_BYTES, "160");
    struct msg_import_finish m = { 0 };
    struct wr *wr;
    size_t n = 0;

    ENSURE(!id_parse(&m.account, json_string(json_get(params, "account"))).code, ERR_MALFORMED,
           "account: expected an id of 32 lower-case hex digits");
    ENSURE(!hex_decode_0x(m.enc, sizeof(m.enc), &n, json_string(json_get(params, "enc"))).code &&
               n == sizeof(m.enc),
           ERR_MALFORMED, "enc: expected 0x and 64 hex digits");
    TRY(params_read_nonce(&m.nonce, params));
    TRY(params_read_blob(&m.ciphertext, params, &sealed));
    TRY(link_begin(call->core->link, &wr, MSG_IMPORT_FINISH, 275));
    msg_write_import_finish(wr, &m);
    return link_end(call->core->link, (struct link_done) { report_account_created, call });
}
