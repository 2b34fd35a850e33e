// SPDX-License-Identifier: Apache-2.0
// The parent's own rules about its accounts. They are kept here and nowhere else, so that every
// answer says `best_effort`: who controls this machine can undo them. What the enclave enforces
// stands in the administrators' manifest. Nothing is deleted at once: a record is the only copy of
// a key.
#include "parent/rest_custody.h"

#include "base/must.h"
#include "parent/log.h"
#include "parent/rest_account.h"
#include "parent/stamp.h"

#define CUSTODY_DAYS_MIN 7U
#define CUSTODY_DAYS_MAX 30U
#define CUSTODY_DAY_MS   86400000U

// The account as it is now, and who enforces what was changed.
static struct err custody_answer(struct rest_call *call, const char *event)
{
    AUTO(store_account_free) struct store_account account = { 0 };

    TRY(store_account_get(call->rest->store, &account, call->id));
    log_event(LOG_INFO, "custody", event, "account", account.id);
    jw_object(&call->jw);
    rest_account_write(&call->jw, &account);
    jw_key(&call->jw, "enforcement");
    jw_cstring(&call->jw, "best_effort");
    jw_object_end(&call->jw);
    return OK;
}

static struct err custody_nothing(struct rest_call *call)
{
    static const char *const known[] = { NULL };

    return rest_call_only(call, known);
}

struct err rest_custody_disable(struct rest_call *call)
{
    TRY(custody_nothing(call));
    TRY(store_account_disable(call->rest->store, call->id, true));
    return custody_answer(call, "disabled");
}

struct err rest_custody_enable(struct rest_call *call)
{
    AUTO(store_account_free) struct store_account account = { 0 };

    TRY(custody_nothing(call));
    TRY(store_account_get(call->rest->store, &account, call->id));
    ENSURE(account.delete_ms == 0, ERR_DENIED, "account: is to be deleted; undelete it first");
    TRY(store_account_disable(call->rest->store, call->id, false));
    return custody_answer(call, "enabled");
}

struct err rest_custody_delete(struct rest_call *call)
{
    static const char *const known[] = { "after_days", NULL };
    const struct json *value = json_get(call->body, "after_days");
    uint64_t days = 0;

    TRY(rest_call_only(call, known));
    ENSURE(value && value->type == JSON_NUMBER && !json_u64(&days, value).code &&
               days >= CUSTODY_DAYS_MIN && days <= CUSTODY_DAYS_MAX,
           ERR_MALFORMED, "after_days: expected 7 to 30");
    TRY(store_account_schedule(call->rest->store, call->id,
                               stamp_now_ms() + days * CUSTODY_DAY_MS));
    return custody_answer(call, "delete_scheduled");
}

struct err rest_custody_undelete(struct rest_call *call)
{
    TRY(custody_nothing(call));
    TRY(store_account_schedule(call->rest->store, call->id, 0));
    return custody_answer(call, "undeleted");
}
