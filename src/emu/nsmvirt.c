// SPDX-License-Identifier: Apache-2.0
// Linux hands over a request and the room for its answer as two chains, one after the other, and
// waits for one interrupt, after which it takes back both: so both are given back before it. A
// request and room in one chain, as the draft of the specification has it, are taken too.
#include "emu/nsmvirt.h"

#include "emu/journal.h"
#include "emu/vhost.h"

#include <stdlib.h>

struct nsmvirt {
    struct vhost *vhost;
    struct nsmvirt_options options;
    struct nsmdev *module;
    struct vring_chain request; // taken, and not yet answered
    bool asked;
    uint8_t text[NSMDEV_REQUEST_MAX + 1];
    struct bytes ask;
};

static bool nsmvirt_on(void *context)
{
    struct nsmvirt *nsm = context;
    struct err e = nsm->options.module(&nsm->module, nsm->options.context);

    nsm->asked = false;
    if (e.code)
        journal("nsm: no module for this machine: %s", err_text(e));
    return !e.code;
}

static void nsmvirt_off(void *context)
{
    struct nsmvirt *nsm = context;

    nsmdev_free(&nsm->module);
}

static void nsmvirt_ask(struct nsmvirt *nsm, struct vring *ring, const struct vring_chain *chain)
{
    struct wr wr = WR_OF(nsm->text);

    vring_read(ring, chain, &wr, sizeof(nsm->text));
    nsm->ask = wr_done(&wr);
    nsm->request = *chain;
    nsm->asked = true;
}

static void nsmvirt_answer(struct nsmvirt *nsm, struct vring *ring, const struct vring_chain *room)
{
    uint8_t text[NSMDEV_RESPONSE_MAX];
    struct wr wr = WR_OF(text);

    nsmdev_answer(nsm->module, &wr, nsm->ask);
    if (room->head != nsm->request.head)
        vring_push(ring, &nsm->request, 0);
    vring_push(ring, room, vring_write(ring, room, wr_done(&wr)));
    nsm->asked = false;
}

// One chain; two requests in a row, or room without a request, are given back as they are.
static void nsmvirt_take(struct nsmvirt *nsm, struct vring *ring, const struct vring_chain *chain)
{
    if (chain->readable > 0) {
        if (nsm->asked)
            vring_push(ring, &nsm->request, 0);
        nsmvirt_ask(nsm, ring, chain);
    }
    if (chain->writable > 0 && nsm->asked)
        nsmvirt_answer(nsm, ring, chain);
    else if (chain->readable == 0)
        vring_push(ring, chain, 0);
}

static void nsmvirt_kicked(void *context, unsigned queue)
{
    struct nsmvirt *nsm = context;
    struct vring *ring = vhost_queue(nsm->vhost, queue);
    struct vring_chain chain;
    unsigned taken = 0;

    while (ring && taken < ring->entries && vring_pop(ring, &chain)) {
        nsmvirt_take(nsm, ring, &chain);
        taken++;
    }
    if (ring && taken == ring->entries) // a guest that never pauses must not keep this thread
        vhost_again(nsm->vhost, queue);
    if (taken > 0)
        vhost_notify(nsm->vhost, queue);
}

struct err nsmvirt_new(struct nsmvirt **out, struct loop *loop,
                       const struct nsmvirt_options *options)
{
    struct nsmvirt *nsm = *out = calloc(1, sizeof(*nsm));
    struct err e;

    ENSURE(nsm, ERR_FULL, "no memory");
    nsm->options = *options;
    e = vhost_new(&nsm->vhost, loop, options->path,
                  &(struct vhost_device) {
                      .name = "nsm",
                      .queues = 1,
                      .on = nsmvirt_on,
                      .off = nsmvirt_off,
                      .kicked = nsmvirt_kicked,
                      .context = nsm,
                  });
    if (e.code)
        nsmvirt_free(out);
    return e;
}

void nsmvirt_free(struct nsmvirt **nsm)
{
    if (!*nsm)
        return;
    vhost_free(&(*nsm)->vhost);
    free(*nsm);
    *nsm = NULL;
}
