// SPDX-License-Identifier: Apache-2.0
// The event loop over epoll. Duty: tell callbacks about descriptors and deadlines, in one thread.
// A watch that a callback gives back is only marked, and freed once no event of the running turn
// can still point at it. Adding and giving back cost the same however many there are. Trusts its
// caller's descriptors; never reads or closes them.
#include "net/loop.h"

#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 128
#define NEVER           INT64_MAX

struct loop_watch {
    struct loop *loop;
    struct loop_watch *next, **link; // link: what points at this one
    void (*call)(void *context, uint32_t events);
    void *context;
    int fd;
    uint32_t events; // 0: not in the epoll set
    bool dead;
};

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next, **link;
    void (*call)(void *context);
    void *context;
    int64_t at_ms;
};

struct loop {
    int epoll_fd, wake_fd;
    atomic_bool stopping, woken;
    void (*wake)(void *context);
    void *wake_context;
    void (*turn)(void *context);
    void *turn_context;
    struct loop_watch *watches, *dead;
    struct loop_timer *timers;
    struct loop_timer *cursor; // the next one to look at, while timers fire
    int64_t next_ms;           // no timer is due before this
};

static struct err loop_open(struct loop *loop);
static void loop_sweep(struct loop *loop);
static void loop_fire_timers(struct loop *loop);
static void loop_dispatch(struct loop *loop);

struct err loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct err err;

    ENSURE(loop, ERR_FULL, "loop: out of memory");
    loop->epoll_fd = loop->wake_fd = -1;
    loop->next_ms = NEVER;
    err = loop_open(loop);
    if (err.code)
        loop_free(&loop);
    *out = loop;
    return err;
}

static struct err loop_open(struct loop *loop)
{
    struct epoll_event event = { .events = EPOLLIN };

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ENSURE(loop->epoll_fd >= 0 && loop->wake_fd >= 0, ERR_IO, "loop: no descriptors left");
    ENSURE(epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0, ERR_IO,
           "loop: epoll_ctl failed");
    return OK;
}

void loop_free(struct loop **loop)
{
    if (!*loop)
        return;
    while ((*loop)->timers)
        loop_timer_free(&(struct loop_timer *) { (*loop)->timers });
    while ((*loop)->watches)
        loop_unwatch(&(struct loop_watch *) { (*loop)->watches });
    loop_sweep(*loop);
    fd_close(&(*loop)->epoll_fd);
    fd_close(&(*loop)->wake_fd);
    free(*loop);
    *loop = NULL;
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping)) {
        loop_fire_timers(loop);
        if (loop->turn)
            loop->turn(loop->turn_context);
        loop_sweep(loop);
        if (!atomic_load(&loop->stopping))
            loop_dispatch(loop);
    }
    atomic_store(&loop->stopping, false);
}

// Makes epoll_wait return. A full counter (EAGAIN) means that it will return anyway.
static void loop_kick(const struct loop *loop)
{
    uint64_t one = 1;
    ssize_t done;

    do {
        done = write(loop->wake_fd, &one, sizeof(one));
    } while (done < 0 && errno == EINTR);
}

void loop_stop(struct loop *loop)
{
    int saved = errno;

    atomic_store(&loop->stopping, true);
    loop_kick(loop);
    errno = saved;
}

void loop_set_wake(struct loop *loop, void (*call)(void *context), void *context)
{
    loop->wake = call;
    loop->wake_context = context;
}

void loop_wake(struct loop *loop)
{
    if (!atomic_exchange(&loop->woken, true))
        loop_kick(loop);
}

void loop_set_turn(struct loop *loop, void (*call)(void *context), void *context)
{
    loop->turn = call;
    loop->turn_context = context;
}

static void loop_woken(struct loop *loop)
{
    uint64_t count;

    while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
    // Cleared before the call: what is posted during it causes another one.
    if (atomic_exchange(&loop->woken, false) && loop->wake)
        loop->wake(loop->wake_context);
}

static int loop_wait_ms(const struct loop *loop)
{
    return loop->next_ms == NEVER ? -1 : deadline_left_ms((struct deadline) { loop->next_ms });
}

static void loop_dispatch(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, loop_wait_ms(loop));

    must(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        struct loop_watch *watch = events[i].data.ptr;

        if (!watch)
            loop_woken(loop);
        else if (!watch->dead && watch->events)
            watch->call(watch->context, events[i].events);
    }
}

// A timer that has fired waits for loop_timer_set. Callbacks may add timers (at the head of the
// list) and free any, also their own and the one that is next.
static void loop_fire_timers(struct loop *loop)
{
    int64_t now = deadline_now_ms();

    if (now < loop->next_ms)
        return;
    for (struct loop_timer *timer = loop->timers; timer; timer = loop->cursor) {
        loop->cursor = timer->next;
        if (timer->at_ms <= now) {
            timer->at_ms = NEVER;
            timer->call(timer->context);
        }
    }
    loop->next_ms = NEVER;
    for (const struct loop_timer *timer = loop->timers; timer; timer = timer->next)
        if (timer->at_ms < loop->next_ms)
            loop->next_ms = timer->at_ms;
}

static void loop_sweep(struct loop *loop)
{
    while (loop->dead) {
        struct loop_watch *watch = loop->dead;

        loop->dead = watch->next;
        free(watch);
    }
}

// Puts an entry at the head of a list of its kind, and takes it out of whatever list it is in.
#define LINK(list, entry)                         \
    do {                                          \
        (entry)->next = (list);                   \
        (entry)->link = &(list);                  \
        if ((entry)->next)                        \
            (entry)->next->link = &(entry)->next; \
        (list) = (entry);                         \
    } while (0)
#define UNLINK(entry)                            \
    do {                                         \
        *(entry)->link = (entry)->next;          \
        if ((entry)->next)                       \
            (entry)->next->link = (entry)->link; \
    } while (0)

struct err loop_watch(struct loop *loop, struct loop_watch **out, int fd, uint32_t events,
                      void (*call)(void *context, uint32_t events), void *context)
{
    struct loop_watch *watch = calloc(1, sizeof(*watch));
    struct epoll_event event = { .events = events, .data.ptr = watch };

    *out = NULL;
    ENSURE(watch, ERR_FULL, "loop: out of memory");
    *watch = (struct loop_watch) { .loop = loop, .call = call };
    watch->context = context;
    watch->fd = fd;
    watch->events = events;
    if (events && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(watch);
        return FAIL(ERR_IO, "loop: descriptor cannot be watched");
    }
    LINK(loop->watches, watch);
    *out = watch;
    return OK;
}

void loop_rewatch(struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    int change = !events ? EPOLL_CTL_DEL : (watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);

    if (events == watch->events)
        return;
    must(epoll_ctl(watch->loop->epoll_fd, change, watch->fd, &event) == 0);
    watch->events = events;
}

void loop_unwatch(struct loop_watch **watch)
{
    struct loop_watch *dying = *watch;

    *watch = NULL;
    if (!dying)
        return;
    if (dying->events)
        (void)epoll_ctl(dying->loop->epoll_fd, EPOLL_CTL_DEL, dying->fd, NULL);
    dying->dead = true;
    UNLINK(dying);
    LINK(dying->loop->dead, dying);
}

struct err loop_timer(struct loop *loop, struct loop_timer **out, struct deadline at,
                      void (*call)(void *context), void *context)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));

    *out = timer;
    ENSURE(timer, ERR_FULL, "loop: out of memory");
    *timer = (struct loop_timer) { .loop = loop, .call = call };
    timer->context = context;
    LINK(loop->timers, timer);
    loop_timer_set(timer, at);
    return OK;
}

void loop_timer_set(struct loop_timer *timer, struct deadline at)
{
    timer->at_ms = at.at_ms;
    if (at.at_ms < timer->loop->next_ms)
        timer->loop->next_ms = at.at_ms;
}

void loop_timer_free(struct loop_timer **timer)
{
    struct loop_timer *dying = *timer;

    *timer = NULL;
    if (!dying)
        return;
    if (dying->loop->cursor == dying)
        dying->loop->cursor = dying->next;
    UNLINK(dying);
    free(dying);
}
