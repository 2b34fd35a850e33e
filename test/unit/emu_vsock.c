// SPDX-License-Identifier: Apache-2.0
// emu/vsock.h: streams of both sides, credit, room, hostile packets, and faults on order.
#include "emu/vsock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "emu/vsock_packet.h"
#include "machine.h"

#define TO_GUEST 0U
#define TO_HOST  1U
#define CONTROL  5000U
#define DATA     9000U // of the guest
#define SERVICE  8000U
#define BEAT     9000U // of the parent
#define ROOM     262144U

// -- vsock ---------------------------------------------------------------------------------------

static void send_packet(struct vsock_packet packet, struct bytes body)
{
    struct wr wr = wr_of(vmm_slot(&vmm, TO_HOST, 0), VMM_SLOT);
    uint32_t used[2] = { 0 };

    if (!packet.type)
        packet.type = VSOCK_STREAM;
    if (!packet.n)
        packet.n = (uint32_t)body.n;
    if (!packet.room)
        packet.room = ROOM;
    if (!packet.from_cid)
        packet.from_cid = CID;
    if (!packet.to_cid)
        packet.to_cid = 3;
    vsock_packet_write(&wr, &packet);
    wr_bytes(&wr, body);
    vmm_give(&vmm, TO_HOST, 0, (uint32_t)wr.len, false);
    vmm_kick(&vmm, TO_HOST);
    assert_true(vmm_used(&vmm, TO_HOST, used));
}

// The next packet for the guest; op 0 when none comes. The view lasts until the next call.
static struct vsock_packet receive_packet(struct bytes *body)
{
    struct vsock_packet packet = { 0 };
    uint32_t used[2] = { 0 };
    struct rd rd;

    vmm_give(&vmm, TO_GUEST, 0, VMM_SLOT, true);
    vmm_kick(&vmm, TO_GUEST);
    if (!vmm_used(&vmm, TO_GUEST, used)) {
        vmm.offered[TO_GUEST]--; // the offer stands; the next call waits for it
        return packet;
    }
    rd = rd_of(bytes_of(vmm_slot(&vmm, TO_GUEST, 0), used[1]));
    expect_ok("packet", vsock_packet_read(&packet, &rd));
    assert_int_equal(packet.n, rd.left.n);
    *body = rd.left;
    return packet;
}

static struct vsock_packet expect_packet(const char *name, uint16_t op)
{
    struct bytes body;
    struct vsock_packet packet = receive_packet(&body);

    if (packet.op != op)
        fail_msg("%s: packet of kind %u, expected %u", name, packet.op, op);
    return packet;
}

static int service_listen(void)
{
    struct addr addr = { .kind = ADDR_UNIX }, bound;
    int fd;

    (void)snprintf(addr.host, sizeof(addr.host), "%.200s", service_path);
    expect_ok("service", addr_listen(&fd, &addr, &bound));
    return fd;
}

static int unix_accept(int listener)
{
    expect_ok("accept", fd_wait(listener, POLLIN, deadline_in(VMM_WAIT_MS)));
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static int unix_dial(const char *path)
{
    struct addr addr = { .kind = ADDR_UNIX };
    int fd = -1;

    (void)snprintf(addr.host, sizeof(addr.host), "%.200s", path);
    expect_ok("dial", addr_dial(&fd, &addr, deadline_in(VMM_WAIT_MS)));
    return fd;
}

static void expect_bytes(int fd, const char *text)
{
    char got[64] = { 0 };

    expect_ok(text, fd_read_all(fd, got, strlen(text), deadline_in(VMM_WAIT_MS)));
    assert_string_equal(got, text);
}

static void expect_end(int fd)
{
    uint8_t byte;

    expect_err("end", fd_read_all(fd, &byte, 1, deadline_in(VMM_WAIT_MS)), ERR_CLOSED, NULL);
}

static const struct vsock_packet request = { .from_port = 1234,
                                             .to_port = SERVICE,
                                             .op = VSOCK_REQUEST };

static struct vsock_packet like_request(uint16_t op)
{
    struct vsock_packet packet = request;

    packet.op = op;
    return packet;
}

// The guest calls a service of its parent, as CID 3 and as CID 2, and ends the stream.
static void guest_calls(void **state)
{
    AUTO(fd_close) int listener = service_listen();

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    for (uint64_t cid = 2; cid <= 3; cid++) {
        struct vsock_packet packet = request;
        struct bytes body;

        packet.to_cid = cid;
        send_packet(packet, BYTES_NONE);
        AUTO(fd_close) int fd = unix_accept(listener);
        packet = expect_packet("response", VSOCK_RESPONSE);
        assert_true(packet.from_cid == cid && packet.to_cid == CID);
        assert_true(packet.from_port == SERVICE && packet.to_port == 1234 && packet.room > 65536);
        packet = like_request(VSOCK_RW);
        packet.to_cid = cid;
        send_packet(packet, BYTES_LIT("from the guest"));
        expect_bytes(fd, "from the guest");
        expect_ok("write", fd_write_all(fd, BYTES_LIT("to the guest"), deadline_in(VMM_WAIT_MS)));
        packet = receive_packet(&body);
        assert_true(packet.op == VSOCK_RW && bytes_equal_str(body, "to the guest"));
        packet = like_request(VSOCK_SHUTDOWN);
        packet.to_cid = cid;
        packet.flags = VSOCK_NOTHING;
        send_packet(packet, BYTES_NONE);
        expect_end(fd);
        (void)expect_packet("the last word", VSOCK_RST);
    }
}

static void parent_calls_port(const char *path, uint32_t port)
{
    AUTO(fd_close) int fd = unix_dial(path);
    struct vsock_packet packet = expect_packet("request", VSOCK_REQUEST), answer;
    struct bytes body;

    assert_true(packet.from_cid == 3 && packet.to_port == port);
    answer = (struct vsock_packet) { .from_port = port, .to_port = packet.from_port };
    answer.op = VSOCK_RESPONSE;
    send_packet(answer, BYTES_NONE);
    expect_ok("write", fd_write_all(fd, BYTES_LIT("question"), deadline_in(VMM_WAIT_MS)));
    packet = receive_packet(&body);
    assert_true(packet.op == VSOCK_RW && bytes_equal_str(body, "question"));
    answer.op = VSOCK_RW;
    send_packet(answer, BYTES_LIT("answer"));
    expect_bytes(fd, "answer");
    // The parent ends its direction, the guest may still answer.
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    packet = expect_packet("half-close", VSOCK_SHUTDOWN);
    assert_int_equal(packet.flags, VSOCK_NO_SEND);
    send_packet(answer, BYTES_LIT("later"));
    expect_bytes(fd, "later");
    answer.op = VSOCK_RST;
    send_packet(answer, BYTES_NONE);
    expect_end(fd);
}

static void parent_calls(void **state)
{
    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    parent_calls_port(control_path, CONTROL);
    parent_calls_port(data_path, DATA);
}

static void nobody_is_there(void **state)
{
    AUTO(fd_close) int before = unix_dial(control_path); // no machine is on
    AUTO(fd_close) int refused_fd = -1;
    struct vsock_packet packet;

    (void)state;
    expect_end(before);
    vmm_on(&vmm, vsock_path, 2);
    send_packet(request, BYTES_NONE);
    (void)expect_packet("no service", VSOCK_RST);
    refused_fd = unix_dial(control_path);
    packet = expect_packet("request", VSOCK_REQUEST);
    packet = (struct vsock_packet) { .from_port = CONTROL, .to_port = packet.from_port };
    packet.op = VSOCK_RST;
    send_packet(packet, BYTES_NONE);
    expect_end(refused_fd);
}

static void heart_beats(void **state)
{
    struct vsock_packet packet = { .from_port = 77, .to_port = BEAT, .op = VSOCK_REQUEST };
    struct bytes body;

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    send_packet(packet, BYTES_NONE);
    (void)expect_packet("response", VSOCK_RESPONSE);
    packet.op = VSOCK_RW;
    send_packet(packet, BYTES_LIT("\xb7"));
    packet = receive_packet(&body);
    assert_true(packet.op == VSOCK_RW && bytes_equal(body, BYTES_LIT("\xb7")));
}

// Towards the guest no more goes than it has room for; what waits stays in the socket.
static void credit_is_kept(void **state)
{
    AUTO(fd_close) int listener = service_listen();
    AUTO(fd_close) int fd = -1;
    struct vsock_packet packet = request;
    static uint8_t much[16384];
    struct bytes body;
    uint32_t got = 0;

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    packet.room = 10000;
    send_packet(packet, BYTES_NONE);
    fd = unix_accept(listener);
    (void)expect_packet("response", VSOCK_RESPONSE);
    expect_ok("write", fd_write_all(fd, BYTES_OF(much), deadline_in(VMM_WAIT_MS)));
    while (got < 10000) {
        packet = receive_packet(&body);
        assert_int_equal(packet.op, VSOCK_RW);
        got += packet.n;
    }
    assert_int_equal(got, 10000);
    (void)expect_packet("nothing", 0);
    packet = like_request(VSOCK_CREDIT_UPDATE);
    packet.room = 10000;
    packet.taken = got;
    send_packet(packet, BYTES_NONE);
    for (; got < sizeof(much); got += packet.n) {
        packet = receive_packet(&body);
        assert_int_equal(packet.op, VSOCK_RW);
    }
}

// A guest that sends more than it was allowed, to a socket that nobody reads, is cut off; before
// that everything is kept, and credit comes when it is read.
static void room_is_bounded(void **state)
{
    AUTO(fd_close) int listener = service_listen();
    AUTO(fd_close) int fd = -1;
    static uint8_t block[4000];
    struct vsock_packet packet;
    uint32_t room, sent = 0;
    unsigned updates = 0;
    struct bytes body;

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    send_packet(request, BYTES_NONE);
    fd = unix_accept(listener);
    room = expect_packet("response", VSOCK_RESPONSE).room;
    // The socket takes some, which comes back as credit; then only the room is left.
    for (uint32_t taken = 0; sent + sizeof(block) - taken <= room;) {
        send_packet(like_request(VSOCK_RW), BYTES_OF(block));
        sent += sizeof(block);
        packet = sent % 40000 == 0 ? receive_packet(&body) : (struct vsock_packet) { 0 };
        taken = packet.op == VSOCK_CREDIT_UPDATE ? packet.taken : taken;
        updates += packet.op == VSOCK_CREDIT_UPDATE;
        assert_true(sent < 64 * room);
    }
    while ((packet = receive_packet(&body)).op == VSOCK_CREDIT_UPDATE)
        updates++;
    assert_true(packet.op == 0 && updates > 0);
    for (unsigned i = 0; i <= room / sizeof(block); i++)
        send_packet(like_request(VSOCK_RW), BYTES_OF(block));
    (void)expect_packet("too much", VSOCK_RST);
}

static const struct odd {
    const char *name;
    struct vsock_packet packet;
    const char *body;
    uint16_t answer; // 0: none
} odd[] = {
    { "another guest's", { .from_cid = 17, .to_port = SERVICE, .op = VSOCK_REQUEST }, "", 0 },
    { "to another machine", { .to_cid = 1, .to_port = SERVICE, .op = VSOCK_REQUEST }, "", 0 },
    { "not a stream", { .to_port = SERVICE, .type = 2, .op = VSOCK_REQUEST }, "", VSOCK_RST },
    { "data of no stream", { .to_port = SERVICE, .op = VSOCK_RW }, "data", VSOCK_RST },
    { "response to nothing", { .to_port = SERVICE, .op = VSOCK_RESPONSE }, "", VSOCK_RST },
    { "unknown kind", { .to_port = SERVICE, .op = 77 }, "", VSOCK_RST },
    { "reset of nothing", { .to_port = SERVICE, .op = VSOCK_RST }, "", 0 },
    { "longer than its buffer", { .to_port = SERVICE, .op = VSOCK_RW, .n = 9999 }, "data", 0 },
    { "its own control port", { .to_port = CONTROL, .op = VSOCK_REQUEST }, "", VSOCK_RST },
};

static void odd_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        vmm_on(&vmm, vsock_path, 2);
        send_packet(odd[i].packet, bytes_str(odd[i].body));
        (void)expect_packet(odd[i].name, odd[i].answer);
        vmm_off(&vmm);
    }
}

static void short_packets(void **state)
{
    uint32_t used[2] = { 0 };

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    for (uint32_t n = 0; n < VSOCK_HEAD_BYTES; n++) {
        vmm_give(&vmm, TO_HOST, 1, n, false);
        vmm_kick(&vmm, TO_HOST);
        assert_true(vmm_used(&vmm, TO_HOST, used));
    }
    vmm_give(&vmm, TO_GUEST, 1, VSOCK_HEAD_BYTES, true); // no room for a byte of data
    vmm_kick(&vmm, TO_GUEST);
    send_packet(like_request(VSOCK_RW), BYTES_LIT("data"));
    assert_true(vmm_used(&vmm, TO_GUEST, used));
    assert_int_equal(used[1], 0);
    (void)expect_packet("reset", VSOCK_RST);
}

// -- faults on order -----------------------------------------------------------------------------

static int open_stream(int listener)
{
    int fd;

    send_packet(request, BYTES_NONE);
    fd = unix_accept(listener);
    return fd;
}

static void faults_happen(void **state)
{
    AUTO(fd_close) int listener = service_listen();
    AUTO(fd_close) int cut = -1;
    AUTO(fd_close) int half = -1;
    struct vsock_packet packet;
    unsigned nonsense = 0;
    struct bytes body;

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    expect_ok("cut", fault_add(scene_dir, BYTES_LIT("link-cut,bytes=5,count=1,operation=Egress")));
    cut = open_stream(listener);
    (void)expect_packet("response", VSOCK_RESPONSE);
    send_packet(like_request(VSOCK_RW), BYTES_LIT("12345"));
    (void)expect_packet("cut", VSOCK_RST);
    expect_ok("half", fault_add(scene_dir, BYTES_LIT("link-half-close,bytes=5,count=1")));
    half = open_stream(listener);
    (void)expect_packet("response", VSOCK_RESPONSE);
    send_packet(like_request(VSOCK_RW), BYTES_LIT("12345"));
    expect_bytes(half, "12345");
    assert_int_equal(expect_packet("half-close", VSOCK_SHUTDOWN).flags, VSOCK_NO_SEND);
    send_packet(like_request(VSOCK_RST), BYTES_NONE);
    expect_ok("flood", fault_add(scene_dir, BYTES_LIT("link-flood,packets=50,count=1")));
    AUTO(fd_close) int flooded = open_stream(listener);
    assert_true(flooded >= 0);
    while ((packet = receive_packet(&body)).from_port != SERVICE || packet.op != VSOCK_RESPONSE)
        nonsense++;
    assert_int_equal(nonsense, 50);
}

static void drops_and_delays(void **state)
{
    AUTO(fd_close) int listener = service_listen();
    AUTO(fd_close) int fd = -1;
    int64_t began;

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    expect_ok("drop", fault_add(scene_dir, BYTES_LIT("link-drop,packets=2,count=1")));
    fd = open_stream(listener);
    (void)expect_packet("response", VSOCK_RESPONSE);
    send_packet(like_request(VSOCK_RW), BYTES_LIT("one "));
    send_packet(like_request(VSOCK_RW), BYTES_LIT("two "));
    send_packet(like_request(VSOCK_RW), BYTES_LIT("three"));
    expect_bytes(fd, "one three");
    send_packet(like_request(VSOCK_RST), BYTES_NONE);
    expect_ok("delay", fault_add(scene_dir, BYTES_LIT("link-delay,ms=30")));
    began = deadline_now_ms();
    for (unsigned i = 0; i < 20; i++) {
        AUTO(fd_close) int slow = open_stream(listener);
        struct vsock_packet over = like_request(VSOCK_CREDIT_REQUEST);

        assert_true(slow >= 0);
        (void)expect_packet("response", VSOCK_RESPONSE);
        send_packet(over, BYTES_NONE);
        (void)expect_packet("credit", VSOCK_CREDIT_UPDATE);
        send_packet(like_request(VSOCK_RST), BYTES_NONE);
    }
    assert_true(deadline_now_ms() - began > 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(guest_calls),    TEST(parent_calls),     TEST(nobody_is_there), TEST(heart_beats),
        TEST(credit_is_kept), TEST(room_is_bounded),  TEST(odd_packets),     TEST(short_packets),
        TEST(faults_happen),  TEST(drops_and_delays),
    };

    return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
