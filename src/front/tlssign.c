// SPDX-License-Identifier: Apache-2.0
// The queue of handshakes that wait for the vault. Whoever reaches the port can start one, so the
// vault has few of them at once: a client's request waits for those at most. What is signed the
// vault builds itself; here it is passed on.
#include "front/tlssign.h"

#include "front/tlscert.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE     64U   // in the vault; a batch of so many costs little more than one
#define WAITING_MAX 8192U // twice the connections: those that have gone leave theirs behind

struct wait {
    struct wait *next;
    struct tlssign *sign;
    struct tls_key_job *job;
    struct msg_tls_sign m; // its input points to
    uint8_t input[MSG_TLS_INPUT_MAX];
};

struct tlssign {
    struct core *core;
    struct wait *first, **last; // not sent yet
    unsigned waiting, sent;
};

static void tlssign_pump(struct tlssign *sign);

struct err tlssign_new(struct tlssign **out, struct core *core)
{
    struct tlssign *sign = calloc(1, sizeof(*sign));

    *out = sign;
    ENSURE(sign, ERR_FULL, "TLS: out of memory");
    sign->core = core;
    sign->last = &sign->first;
    return OK;
}

void tlssign_free(struct tlssign **sign)
{
    free(*sign);
    *sign = NULL;
}

struct err tlssign_ask(struct tlssign *sign, struct tls_key_job *job, const struct msg_tls_sign *m)
{
    struct wait *wait;

    ENSURE(m->input.n <= MSG_TLS_INPUT_MAX, ERR_TOO_LARGE, "TLS: larger than a handshake has it");
    ENSURE(sign->waiting < WAITING_MAX, ERR_BUSY, "TLS: too many handshakes at once");
    wait = calloc(1, sizeof(*wait));
    ENSURE(wait, ERR_FULL, "TLS: out of memory");
    wait->sign = sign;
    wait->job = job;
    wait->m = *m;
    wait->m.input.p = wait->input;
    if (m->input.n)
        memcpy(wait->input, m->input.p, m->input.n);
    *sign->last = wait;
    sign->last = &wait->next;
    sign->waiting++;
    tlssign_pump(sign);
    return OK;
}

static void tlssign_end(struct wait *wait, struct bytes der)
{
    tls_key_done(wait->job, der);
    free(wait);
}

static void tlssign_answered(void *context, struct link_answer *answer)
{
    struct wait *wait = context;
    struct tlssign *sign = wait->sign;
    enum err_code code = (enum err_code)answer->verdict.code;

    sign->sent--;
    if (code == ERR_NOT_FOUND || code == ERR_PHASE || code == ERR_DENIED)
        tlscert_lost(sign->core->tlscert, &wait->m.key);
    tlssign_end(wait, code ? BYTES_NONE : answer->result.left);
    tlssign_pump(sign);
}

static struct err tlssign_send(struct tlssign *sign, struct wait *wait)
{
    struct wr *wr;

    TRY(link_begin(sign->core->link, &wr, MSG_TLS_SIGN, sizeof(wait->m) + wait->m.input.n));
    msg_write_tls_sign(wr, &wait->m);
    return link_end(sign->core->link, (struct link_done) { tlssign_answered, wait });
}

static void tlssign_pump(struct tlssign *sign)
{
    while (sign->first && sign->sent < AT_ONCE) {
        struct wait *wait = sign->first;

        sign->first = wait->next;
        if (!sign->first)
            sign->last = &sign->first;
        sign->waiting--;
        if (tlssign_send(sign, wait).code)
            tlssign_end(wait, BYTES_NONE);
        else
            sign->sent++;
    }
}
