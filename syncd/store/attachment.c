/* Rows of attachments. attachment.h says for whom. */
#include "syncd/store/attachment.h"

#include <string.h>
#include <strings.h>

const struct entity *attachment_entity(const struct catalogue *cat) {
    return catalogue_entity_by_tag(cat, ATTACHMENT_ENTITY);
}

const struct field *attachment_field(const struct entity *e, enum attachment_tag tag) {
    return entity_field_by_tag(e, (uint32_t)tag);
}

static const struct value *value_of(const struct row *row, enum attachment_tag tag) {
    static const struct value nothing = {0};
    const struct field *f = attachment_field(row->entity, tag);
    return f ? &row->values[f - row->entity->fields] : &nothing;
}

static int64_t number_of(const struct row *row, enum attachment_tag tag) {
    const struct value *v = value_of(row, tag);
    return v->kind == VALUE_INT ? v->number : 0;
}

static struct slice text_of(const struct row *row, enum attachment_tag tag) {
    const struct value *v = value_of(row, tag);
    return v->kind == VALUE_TEXT ? v->text : (struct slice){0};
}

void attachment_read(const struct row *row, struct attachment *out) {
    *out = (struct attachment){.row = row->id,
                               .account = number_of(row, ATTACHMENT_ACCOUNT),
                               .author = number_of(row, ATTACHMENT_AUTHOR),
                               .kind = number_of(row, ATTACHMENT_KIND),
                               .bytes = number_of(row, ATTACHMENT_SIZE),
                               .taken_ms = number_of(row, ATTACHMENT_TAKEN_AT),
                               .arrived_ms = number_of(row, ATTACHMENT_ARRIVED_AT),
                               .title = text_of(row, ATTACHMENT_TITLE),
                               .file_name = text_of(row, ATTACHMENT_FILE_NAME)};
    out->is_sound = blob_name_read(text_of(row, ATTACHMENT_CONTENT), &out->content) &&
                    out->bytes > 0 && out->bytes <= BLOB_BYTES_MAX;
}

uint32_t attachment_device(int64_t row) {
    return (uint32_t)(row >> 32);
}

/* ------------------------------------------------------------------ lists */

struct listed {
    attachment_each *each;
    void *ctx;
};

static enum status read_row(void *ctx, const struct row *row, struct err *err) {
    const struct listed *listed = ctx;
    struct attachment attachment;
    attachment_read(row, &attachment);
    return listed->each(listed->ctx, &attachment, err);
}

enum status attachment_list(struct store *store, const struct hash *content, bool only_waiting,
                            attachment_each *each, void *ctx, struct err *err) {
    const struct entity *e = attachment_entity(store_catalogue(store));
    struct listed listed = {each, ctx};
    struct condition conditions[2];
    char name[BLOB_NAME_BYTES + 1];
    size_t count = 0;
    if (!e || !store_is_current(store)) return ST_OK;
    if (content) {
        blob_name(content, name);
        conditions[count++] = (struct condition){.field = attachment_field(e, ATTACHMENT_CONTENT),
                                                 .compare = COMPARE_EQ,
                                                 .value = value_text(slice_from(name))};
    }
    if (only_waiting)
        conditions[count++] =
            (struct condition){.field = attachment_field(e, ATTACHMENT_ARRIVED_AT),
                               .compare = COMPARE_EQ,
                               .value = value_null()};
    struct query query = {.entity = e, .conditions = conditions, .condition_count = count};
    return store_list(store, &query, read_row, &listed, err);
}

static enum status found_one(void *ctx, const struct attachment *attachment, struct err *err) {
    (void)attachment;
    *(bool *)ctx = true;
    return err_set(err, ST_CANCELLED, "found one", "已找到");
}

enum status attachment_is_named(struct store *store, const struct hash *content, bool *out,
                                struct err *err) {
    bool found = false;
    enum status status = attachment_list(store, content, false, found_one, &found, err);
    if (status != ST_OK && !found) return status;
    *out = found;
    return ST_OK;
}

/* ------------------------------------------------------------------ files of people */

struct media_row {
    const char *ending, *type;
    enum attachment_kind kind;
};
static const struct media_row MEDIA_ROWS[] = {
    {"jpg", "image/jpeg", ATTACHMENT_PHOTO},
    {"jpeg", "image/jpeg", ATTACHMENT_PHOTO},
    {"png", "image/png", ATTACHMENT_PHOTO},
    {"heic", "image/heic", ATTACHMENT_PHOTO},
    {"webp", "image/webp", ATTACHMENT_PHOTO},
    {"gif", "image/gif", ATTACHMENT_PHOTO},
    {"m4a", "audio/mp4", ATTACHMENT_RECORDING},
    {"mp3", "audio/mpeg", ATTACHMENT_RECORDING},
    {"wav", "audio/wav", ATTACHMENT_RECORDING},
    {"ogg", "audio/ogg", ATTACHMENT_RECORDING},
    {"opus", "audio/ogg", ATTACHMENT_RECORDING},
    {"amr", "audio/amr", ATTACHMENT_RECORDING},
    {"mp4", "video/mp4", ATTACHMENT_RECORDING},
    {"mov", "video/quicktime", ATTACHMENT_RECORDING},
    {"svg", "image/svg+xml", ATTACHMENT_SIGNATURE},
    {"pdf", "application/pdf", ATTACHMENT_OTHER},
    {"txt", "text/plain", ATTACHMENT_OTHER},
    {"csv", "text/csv", ATTACHMENT_OTHER},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
     ATTACHMENT_OTHER},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ATTACHMENT_OTHER},
    {"zip", "application/zip", ATTACHMENT_OTHER},
};

const char *attachment_media_type(struct slice file_name, enum attachment_kind *out_kind) {
    size_t at = file_name.len;
    while (at > 0 && file_name.data[at - 1] != '.') at--;
    size_t len = file_name.len - at;
    for (size_t i = 0; at > 0 && i < ARRAY_COUNT(MEDIA_ROWS); i++) {
        const struct media_row *row = &MEDIA_ROWS[i];
        if (strlen(row->ending) != len) continue;
        if (strncasecmp(row->ending, (const char *)file_name.data + at, len) != 0) continue;
        *out_kind = row->kind;
        return row->type;
    }
    *out_kind = ATTACHMENT_OTHER;
    return "application/octet-stream";
}

char *attachment_safe_name(struct slice name, struct arena *mem) {
    enum { NAME_BYTES_MAX = 200 }; /* below every file system's limit */
    size_t begin = name.len;
    while (begin > 0 && !strchr("/\\:", name.data[begin - 1])) begin--;
    struct slice last = slice_trim(slice_of(name.data + begin, name.len - begin));
    while (last.len > 0 && last.data[0] == '.') last = slice_of(last.data + 1, last.len - 1);
    last = text_prefix(last, NAME_BYTES_MAX);
    char *out = arena_string(mem, last.len ? last : SLICE("file"));
    for (char *c = out; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '_';
    return out;
}
