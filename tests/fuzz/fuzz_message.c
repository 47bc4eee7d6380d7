/* Any bytes go to every reader; what one accepts is written and read again, and written once more:
 * the two writings must be the same.
 */
#include <assert.h>

#include "protocol/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 192 * 1024 * 1024, LEVEL = 1, DEVICE = 17 };

#define AGAIN(name)                                                                                \
    static void again_##name(struct slice bytes) {                                                 \
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_BYTES);                             \
        SCOPED(buf_free) struct buf first = buf_new(BUF_MAX_MESSAGE);                              \
        SCOPED(buf_free) struct buf second = buf_new(BUF_MAX_MESSAGE);                             \
        struct name m, back;                                                                       \
        if (wire_read_##name(bytes, &mem, &m, NULL) != ST_OK) return;                              \
        if (wire_write_##name(&m, &first, NULL) != ST_OK) return;                                  \
        enum status status = wire_read_##name(buf_slice(&first), &mem, &back, NULL);               \
        assert(status == ST_OK);                                                                   \
        status = wire_write_##name(&back, &second, NULL);                                          \
        assert(status == ST_OK && slice_equal(buf_slice(&first), buf_slice(&second)));             \
    }

AGAIN(hello_request)
AGAIN(hello_reply)
AGAIN(enroll_request)
AGAIN(enroll_reply)
AGAIN(wait_request)
AGAIN(content_request)
AGAIN(content_reply)

/* The struct of keys is called otherwise. */
#define wire_read_key_changes wire_read_keys
#define wire_write_key_changes wire_write_keys
AGAIN(key_changes)

/* The two rounds take more arguments: a writer and a reader of the usual shape for each. */
#define wire_write_round_request(m, out, err) wire_write_round_request(m, LEVEL, out, err)
AGAIN(round_request)

static enum status write_reply(const struct round_reply *m, struct buf *out, struct err *err) {
    uint8_t seed[SIGN_SEED_BYTES] = {1};
    struct sign_key key = sign_key_from_seed(seed);
    return wire_write_round_reply(m, DEVICE, &key, LEVEL, out, err);
}
#define wire_write_round_reply(m, out, err) write_reply(m, out, err)
#define wire_read_round_reply(bytes, mem, out, err)                                                \
    wire_read_round_reply(bytes, DEVICE, mem, out, err)
AGAIN(round_reply)

static void canonical(struct slice bytes) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_BYTES);
    struct batch batch;
    struct change change;
    struct value *values;
    size_t count;
    (void)!batch_read(bytes, &mem, &batch, NULL);
    (void)!change_read(bytes, &mem, &change, NULL);
    (void)!values_read(bytes, &mem, &values, &count, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_of(data, size);
    SCOPED(buf_free) struct buf view = buf_new(BUF_MAX_MESSAGE);
    (void)!wire_write_json(bytes, NULL, &view, NULL);
    again_hello_request(bytes);
    again_hello_reply(bytes);
    again_enroll_request(bytes);
    again_enroll_reply(bytes);
    again_wait_request(bytes);
    again_key_changes(bytes);
    again_content_request(bytes);
    again_content_reply(bytes);
    again_round_request(bytes);
    again_round_reply(bytes);
    canonical(bytes);
    return 0;
}
