// SPDX-License-Identifier: Apache-2.0
// One decision from two files. The files are the developer's; they are read as strictly as
// requests, because a misspelt name must not look like a decision.
#include "emu/policytest.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "emu/args.h"
#include "emu/kms_condition.h"
#include "emu/kms_policy.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_MAX 32768
#define NODES_MAX   256

struct question {
    uint8_t policy[KMS_POLICY_MAX + 1]; // one more, to see that a policy is too long
    size_t policy_len;
    uint8_t text[REQUEST_MAX];
    struct json nodes[NODES_MAX];
    struct attest attest;
    struct kms_policy_request request;
};

static FALLIBLE read_recipient(struct question *q, const struct json *recipient)
{
    if (!recipient || recipient->type == JSON_NULL)
        return OK;
    ENSURE(recipient->type == JSON_OBJECT, ERR_MALFORMED, "recipient: expected an object of PCRs");
    for (const struct json *pcr = recipient->child; pcr; pcr = pcr->next) {
        int index = kms_condition_pcr(pcr->key);

        ENSURE(index >= 0, ERR_MALFORMED, "recipient: expected PCR0 to PCR31");
        ENSURE(!hex_decode(q->attest.pcr[index], ATTEST_PCR_BYTES, json_string(pcr)).code,
               ERR_MALFORMED, "recipient: expected 96 hex digits");
        q->attest.pcr_present |= 1U << index;
    }
    q->request.attest = &q->attest;
    return OK;
}

static FALLIBLE read_request(struct question *q, const char *path)
{
    static const char *const known[] = { "action", "caller",    "session",
                                         "key",    "recipient", "encryption_context",
                                         "bypass", NULL };
    const struct json *root, *context;
    size_t n = 0;

    TRY(fd_read_file(path, q->text, sizeof(q->text), &n));
    TRY(json_parse(&root, q->nodes, NODES_MAX, q->text, n));
    ENSURE(root->type == JSON_OBJECT && !json_unknown(root, known), ERR_MALFORMED,
           "context: expected action, caller, session, key, recipient, encryption_context and "
           "bypass only");
    q->request.action = json_string(json_get(root, "action"));
    q->request.role = json_string(json_get(root, "caller"));
    q->request.session = json_string(json_get(root, "session"));
    q->request.resource = json_string(json_get(root, "key"));
    q->request.bypass = json_is_true(json_get(root, "bypass"));
    ENSURE(q->request.action.n && kms_policy_account(q->request.role).n &&
               kms_policy_account(q->request.resource).n,
           ERR_MALFORMED, "context: action, caller, key: expected an action and two ARNs");
    context = json_get(root, "encryption_context");
    if (context && context->type != JSON_NULL) {
        TRY(kms_condition_check_context(context));
        q->request.context = context;
    }
    return read_recipient(q, json_get(root, "recipient"));
}

static int failed(const char *subject, struct err e)
{
    (void)fprintf(stderr, "cloister-emu: %s: %s: %s\n", subject, err_name(e.code), err_text(e));
    return 1;
}

int policytest_command(char **argv)
{
    static struct question q;
    const char *policy = NULL, *context = NULL;
    const struct args_option options[] = { { "policy", &policy, NULL, true },
                                           { "context", &context, NULL, true } };
    enum kms_policy_verdict verdict;
    unsigned statement;
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = fd_read_file(policy, q.policy, sizeof(q.policy), &q.policy_len);
    if (!e.code)
        e = kms_policy_check(bytes_of(q.policy, q.policy_len));
    if (e.code)
        return failed(policy, e);
    e = read_request(&q, context);
    if (e.code)
        return failed(context, e);
    verdict = kms_policy_decide(bytes_of(q.policy, q.policy_len), &q.request, &statement);
    (void)printf(verdict == KMS_POLICY_ALLOW ? "allow" : "deny");
    if (statement)
        (void)printf(" statement %u", statement);
    (void)printf("\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
