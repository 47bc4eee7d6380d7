/* Raw deflate with the preset dictionary: the one place that knows zlib.
 *
 * Source: RFC 1951; zlib's manual for raw streams (windowBits below 0) and deflateSetDictionary.
 */
#include <zlib.h>

#include "protocol/wire/coder.h"

enum { WINDOW_BITS = 15, MEM_LEVEL = 9, EXPANSION_MAX = 1032, EXPANSION_SLACK = 1024 };

static void end_deflate(z_stream *z) {
    (void)deflateEnd(z);
}

static void end_inflate(z_stream *z) {
    (void)inflateEnd(z);
}

static enum status zlib_failed(struct err *err, int code) {
    if (code == Z_MEM_ERROR) return err_no_memory(err);
    return err_set(err, ST_MALFORMED, "deflated data is damaged", "压缩数据已损坏");
}

/* Feeds bytes[from..to) and ends the block, or the stream. */
static void deflate_part(z_stream *z, struct slice bytes, size_t from, size_t to, bool last) {
    z->next_in = (Bytef *)(uintptr_t)(bytes.data + from);
    z->avail_in = (uInt)(to - from);
    (void)deflate(z, last ? Z_FINISH : Z_BLOCK);
}

enum status deflate_write(struct slice bytes, const size_t *cuts, size_t cut_count, int level,
                          struct buf *out, struct err *err) {
    SCOPED(end_deflate) z_stream z = {0};
    int code = deflateInit2(&z, level, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY);
    if (code != Z_OK) return zlib_failed(err, code);
    struct slice preset = wire_dictionary();
    (void)deflateSetDictionary(&z, preset.data, (uInt)preset.len);
    size_t room = deflateBound(&z, (uLong)bytes.len) + 16 * (cut_count + 1);
    SCOPED(arena_clear) struct arena mem = arena_new(SIZE_MAX);
    uint8_t *target = arena_alloc(&mem, room);
    if (!target) return err_no_memory(err);
    z.next_out = target;
    z.avail_out = (uInt)room;
    size_t from = 0;
    for (size_t i = 0; i < cut_count; i++) {
        if (cuts[i] > from) deflate_part(&z, bytes, from, cuts[i], false);
        from = cuts[i] > from ? cuts[i] : from;
    }
    deflate_part(&z, bytes, from, bytes.len, true);
    buf_put(out, target, room - z.avail_out);
    return buf_status(out, err);
}

enum status deflate_read(struct slice deflated, struct arena *mem, size_t out_bytes,
                         struct slice *out, struct err *err) {
    if (out_bytes > deflated.len * EXPANSION_MAX + EXPANSION_SLACK)
        return zlib_failed(err, Z_DATA_ERROR);
    uint8_t *target = arena_alloc(mem, out_bytes + 1);
    if (!target) return err_no_memory(err);
    SCOPED(end_inflate) z_stream z = {0};
    int code = inflateInit2(&z, -WINDOW_BITS);
    if (code != Z_OK) return zlib_failed(err, code);
    struct slice preset = wire_dictionary();
    (void)inflateSetDictionary(&z, preset.data, (uInt)preset.len);
    z.next_in = (Bytef *)(uintptr_t)deflated.data;
    z.avail_in = (uInt)deflated.len;
    z.next_out = target;
    z.avail_out = (uInt)out_bytes + 1;
    code = inflate(&z, Z_FINISH);
    if (code == Z_MEM_ERROR) return err_no_memory(err);
    bool whole = code == Z_STREAM_END && z.avail_in == 0 && z.total_out == out_bytes;
    if (!whole) return zlib_failed(err, Z_DATA_ERROR);
    *out = slice_of(target, out_bytes);
    return ST_OK;
}
