/* Bundles: head in the clear, then one sealed box of signature and messages. */
#include "protocol/session/bundle.h"

#include <string.h>

static const char MAGIC[8] = {'R', 'B', 'B', 'U', 'N', 'D', 'L', 'E'};
static const int64_t TRAVEL_MS_MAX = (int64_t)400 * 24 * 3600 * 1000; /* longer is a wrong clock */

/* ------------------------------------------------------------------ writing */

static void put_head(const struct bundle *bundle, struct buf *out) {
    uint8_t version[2] = {BUNDLE_VERSION, (uint8_t)bundle->kind};
    buf_put(out, MAGIC, sizeof MAGIC);
    buf_put(out, version, sizeof version);
    buf_put_bytes(out, slice_from(bundle->org));
    buf_put_varint(out, bundle->device);
    buf_put_signed(out, bundle->made_ms);
}

/* What the author signs: head and messages. */
static void signed_bytes(struct slice head, struct slice messages, uint8_t out[HASH_BYTES]) {
    struct hash hash = hash_sha256_two(head, messages);
    memcpy(out, hash.bytes, HASH_BYTES);
}

static enum status put_messages(const struct bundle *bundle, struct buf *out, struct err *err) {
    SCOPED(buf_free) struct buf keys = buf_new(BUF_MAX_LINE);
    bool tells = bundle->keys.total > 0;
    if (tells) TRY(wire_write_keys(&bundle->keys, &keys, err));
    buf_put_varint(out, bundle->message_count + tells);
    for (size_t i = 0; i < bundle->message_count; i++) buf_put_bytes(out, bundle->messages[i]);
    if (tells) buf_put_bytes(out, buf_slice(&keys));
    return buf_status(out, err);
}

enum status bundle_write(const struct bundle *bundle, const struct sign_key *author,
                         const uint8_t to[SIGN_PUBLIC_BYTES],
                         const uint8_t ephemeral[BOX_SECRET_BYTES], struct arena *mem,
                         struct slice *out, struct err *err) {
    SCOPED(buf_free) struct buf file = buf_new(BUNDLE_BYTES_MAX);
    SCOPED(buf_free) struct buf messages = buf_new(BUNDLE_BYTES_MAX);
    SCOPED(buf_free) struct buf inner = buf_new(BUNDLE_BYTES_MAX);
    uint8_t digest[HASH_BYTES], signature[SIGN_BYTES];
    struct slice sealed;
    put_head(bundle, &file);
    TRY(put_messages(bundle, &messages, err));
    signed_bytes(buf_slice(&file), buf_slice(&messages), digest);
    sign_make(author, slice_of(digest, HASH_BYTES), signature);
    buf_put(&inner, signature, SIGN_BYTES);
    buf_put_slice(&inner, buf_slice(&messages));
    TRY(buf_status(&inner, err));
    if (!seal_make(to, ephemeral, buf_slice(&inner), mem, &sealed)) return err_no_memory(err);
    buf_put_slice(&file, sealed);
    TRY(buf_status(&file, err));
    *out = arena_copy(mem, buf_slice(&file));
    return out->data ? ST_OK : err_no_memory(err);
}

/* ------------------------------------------------------------------ reading */

static enum status not_a_bundle(struct err *err) {
    return err_set(err, ST_MALFORMED,
                   "this is not a bundle of this program, or it was cut short: copy it again",
                   "这不是本程序的数据包，或文件不完整：请重新复制");
}

static enum status read_head(struct reader *r, struct bundle *out, struct err *err) {
    struct slice magic = reader_take(r, sizeof MAGIC);
    uint8_t version = reader_byte(r), kind = reader_byte(r);
    if (r->failed || memcmp(magic.data, MAGIC, sizeof MAGIC) != 0) return not_a_bundle(err);
    if (version != BUNDLE_VERSION)
        return err_set(err, ST_VERSION, "a bundle of version %u: update this program",
                       "数据包版本为 %u：请升级本程序", (unsigned)version);
    struct slice org = reader_bytes(r, SESSION_ORG_BYTES_MAX);
    *out = (struct bundle){.kind = (enum bundle_kind)kind,
                           .device = (uint32_t)reader_varint_max(r, ID_DEVICE_MAX),
                           .made_ms = reader_signed(r)};
    if (r->failed || (kind != BUNDLE_UP && kind != BUNDLE_DOWN)) return not_a_bundle(err);
    memcpy(out->org, org.data, org.len);
    return text_is_utf8(org) ? ST_OK : not_a_bundle(err);
}

enum status bundle_look(struct slice file, struct bundle *out, struct err *err) {
    struct reader r = reader_of(file);
    if (file.len > BUNDLE_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE, "a bundle has at most %d bytes", "数据包不超过 %d 字节",
                       BUNDLE_BYTES_MAX);
    return read_head(&r, out, err);
}

static enum status read_messages(struct slice bytes, struct arena *mem, struct bundle *out,
                                 struct err *err) {
    struct reader r = reader_of(bytes);
    size_t count = (size_t)reader_varint_max(&r, BUNDLE_MESSAGES_MAX);
    struct slice *messages = ARENA_ARRAY(mem, count + 1, struct slice);
    if (!messages) return err_no_memory(err);
    for (size_t i = 0; i < count && !r.failed; i++) messages[i] = reader_bytes(&r, bytes.len);
    if (!reader_done(&r)) return not_a_bundle(err);
    out->messages = messages;
    out->message_count = count;
    return ST_OK;
}

static enum status not_proved(struct err *err) {
    return err_set(err, ST_UNAUTHENTIC,
                   "the bundle was changed on the way, or is for someone else: nothing was taken",
                   "数据包在途中被改动，或并非发给此处：未采用任何内容");
}

/* What was sealed to the reader; nothing in it is proved yet. */
struct opened {
    uint8_t digest[HASH_BYTES], signature[SIGN_BYTES];
    struct slice messages;
};

static enum status open_sealed(struct slice file, const struct sign_key *reader, struct arena *mem,
                               struct bundle *out, struct opened *opened, struct err *err) {
    struct reader r = reader_of(file);
    struct slice inner;
    TRY(bundle_look(file, out, err));
    TRY(read_head(&r, out, err));
    struct slice head = slice_of(file.data, file.len - reader_left(&r));
    struct slice sealed = reader_take(&r, reader_left(&r));
    if (!seal_open(reader, sealed, mem, &inner) || inner.len < SIGN_BYTES) return not_proved(err);
    opened->messages = slice_of(inner.data + SIGN_BYTES, inner.len - SIGN_BYTES);
    memcpy(opened->signature, inner.data, SIGN_BYTES);
    signed_bytes(head, opened->messages, opened->digest);
    return ST_OK;
}

static enum status check_author(const struct opened *opened,
                                const uint8_t author[SIGN_PUBLIC_BYTES], struct err *err) {
    bool signs = sign_check(author, slice_of(opened->digest, HASH_BYTES), opened->signature);
    return signs ? ST_OK : not_proved(err);
}

enum status bundle_read(struct slice file, const struct sign_key *reader,
                        const uint8_t author[SIGN_PUBLIC_BYTES], struct arena *mem,
                        struct bundle *out, struct err *err) {
    struct bundle bundle;
    struct opened opened;
    TRY(open_sealed(file, reader, mem, &bundle, &opened, err));
    TRY(check_author(&opened, author, err));
    TRY(read_messages(opened.messages, mem, &bundle, err));
    *out = bundle;
    return ST_OK;
}

/* What stands behind the pairs, if anything does. */
static enum status take_keys(struct bundle *bundle, struct arena *mem, struct err *err) {
    if (bundle->message_count % 2 == 0) return ST_OK;
    struct slice last = bundle->messages[bundle->message_count - 1];
    if (!wire_is_keys(last)) return ST_OK;
    bundle->message_count--;
    return wire_read_keys(last, mem, &bundle->keys, err);
}

/* The messages are read before the author is known: only what they say of keys is looked at, and
 * that proves itself. An answer that says nothing of keys is of the key that is trusted. */
enum status bundle_read_down(struct slice file, const struct sign_key *reader,
                             struct key_trust *trust, struct arena *mem, struct bundle *out,
                             struct err *err) {
    struct bundle bundle;
    struct opened opened;
    struct key_trust next = *trust;
    TRY(open_sealed(file, reader, mem, &bundle, &opened, err));
    if (check_author(&opened, trust->now, NULL) == ST_OK) {
        TRY(read_messages(opened.messages, mem, &bundle, err));
        TRY(take_keys(&bundle, mem, err));
    } else {
        if (read_messages(opened.messages, mem, &bundle, NULL) != ST_OK ||
            take_keys(&bundle, mem, NULL) != ST_OK || bundle.keys.total == 0)
            return not_proved(err);
    }
    if (bundle.keys.total > 0) TRY(key_trust_follow(trust, &bundle.keys, &next, err));
    TRY(check_author(&opened, next.now, err));
    *trust = next;
    *out = bundle;
    return ST_OK;
}

bool bundle_is_sealed_to(struct slice file, const struct sign_key *reader, struct arena *mem) {
    struct bundle bundle;
    struct opened opened;
    return open_sealed(file, reader, mem, &bundle, &opened, NULL) == ST_OK;
}

/* ------------------------------------------------------------------ the way */

void bundle_arrive(struct envelope *envelope, int64_t now_ms) {
    bool trusted = envelope->suspect_boot != envelope->now.boot_number;
    int64_t written_ms = envelope->now.wall_ms - envelope->expected_offset_ms;
    int64_t travel_ms = now_ms - written_ms;
    if (!trusted || travel_ms <= 0 || travel_ms > TRAVEL_MS_MAX) return;
    envelope->now.wall_ms += travel_ms;
    envelope->now.boot_ms += travel_ms;
}
