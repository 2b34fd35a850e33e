// SPDX-License-Identifier: Apache-2.0
// Accounts: the front compiles a creation's policy into its canonical form, the vault reads it
// again. An account without a policy has to be asked for in so many words.
#include "front/accounts.h"

#include "front/params.h"
#include "front/report.h"
#include "proto/policy.h"

#define CANONICAL_BYTES 16U // policies and authorisers of version 1

struct err accounts_create(struct call *call, const struct json *params)
{
    struct policy policy = { .kind = POLICY_UNRESTRICTED };
    uint8_t policy_space[CANONICAL_BYTES], authorisers_space[CANONICAL_BYTES];
    struct wr policy_wr = WR_OF(policy_space), authorisers_wr = WR_OF(authorisers_space);
    struct msg_account_create m = { 0 };
    struct params_nonce nonce;
    struct wr *wr;

    ENSURE(!id_parse(&m.keyset, json_string(json_get(params, "keyset"))).code, ERR_MALFORMED,
           "keyset: expected an id of 32 lower-case hex digits");
    ENSURE(json_is_true(json_get(params, "unrestricted")), ERR_MALFORMED,
           "unrestricted: expected true, the only policy of this version");
    TRY(params_read_nonce(&nonce, params));
    policy_write(&policy_wr, &policy);
    policy_write_no_authorisers(&authorisers_wr);
    TRY(wr_end(&policy_wr));
    TRY(wr_end(&authorisers_wr));
    m.policy = wr_done(&policy_wr);
    m.authorisers = wr_done(&authorisers_wr);
    m.nonce = params_nonce_bytes(&nonce);
    TRY(link_begin(call->core->link, &wr, MSG_ACCOUNT_CREATE, 256));
    msg_write_account_create(wr, &m);
    return link_end(call->core->link, (struct link_done) { report_account_created, call });
}

struct err accounts_open(struct call *call, const struct json *params)
{
    uint8_t space[RECORD_BYTES_MAX];
    struct bytes record;

    TRY(params_read_record(&record, space, params));
    return link_send(call->core->link, MSG_ACCOUNT_OPEN, record,
                     (struct link_done) { report_account_opened, call });
}
