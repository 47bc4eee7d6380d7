/* roadbook attach, attachments, data-saver: files that belong to rows, on this laptop. */
#include <stdio.h>
#include <string.h>

#include "client/cli_move.h"

#define ATTACH_BYTES_MAX ((int64_t)1024 * 1024 * 1024) /* the server may allow less */

/* ------------------------------------------------------------------ attach */

struct attach {
    struct cli *cli;
    const struct entity *e; /* attachment */
    struct field_edit edits[16];
    size_t count;
};

static void give(struct attach *a, enum attachment_tag tag, struct value value) {
    if (value.kind == VALUE_NULL) return;
    a->edits[a->count++] = (struct field_edit){
        .field = attachment_field(a->e, tag), .kind = FIELD_EDIT_SET, .value = value};
}

/* The rows that an attachment can be about beside its account. */
static bool tag_about(const struct entity *e, enum attachment_tag *out) {
    static const struct {
        const char *name;
        enum attachment_tag tag;
    } ROWS[] = {{"account", ATTACHMENT_ACCOUNT},
                {"visit", ATTACHMENT_VISIT},
                {"opportunity", ATTACHMENT_OPPORTUNITY},
                {"contact", ATTACHMENT_CONTACT}};
    for (size_t i = 0; i < ARRAY_COUNT(ROWS); i++) {
        if (strcmp(ROWS[i].name, e->name) != 0) continue;
        *out = ROWS[i].tag;
        return true;
    }
    return false;
}

static enum status give_about(struct attach *a, const struct entity *e, int64_t id,
                              struct err *err) {
    enum attachment_tag tag;
    struct row row;
    if (!tag_about(e, &tag))
        return err_set(err, ST_INVALID,
                       "files are attached to an account, a visit, an opportunity or a contact",
                       "附件只能添加到客户、拜访、商机或联系人");
    give(a, tag, value_int(id));
    if (tag == ATTACHMENT_ACCOUNT) return ST_OK;
    const struct field *f = entity_field(e, SLICE("account"));
    TRY(store_get(a->cli->store, e, id, &a->cli->mem, &row, err));
    give(a, ATTACHMENT_ACCOUNT, row.values[entity_field_index(e, f)]);
    return ST_OK;
}

static enum status give_option(struct attach *a, const char *option, enum attachment_tag tag,
                               struct value otherwise, struct err *err) {
    const char *typed = command_value(a->cli->line, option);
    struct value value = otherwise;
    if (typed)
        TRY(api_value(&a->cli->book, attachment_field(a->e, tag), slice_from(typed), &a->cli->mem,
                      &value, err));
    give(a, tag, value);
    return ST_OK;
}

/* When the file was written last is the best guess of when it was taken. */
static enum status give_file(struct attach *a, const char *path, const struct hash *content,
                             int64_t bytes, struct err *err) {
    char hex[BLOB_NAME_BYTES + 1];
    enum attachment_kind kind;
    struct platform_file_info info;
    struct slice name, hash;
    TRY(platform_file_info(path, &info, err));
    const char *safe = attachment_safe_name(slice_from(path), &a->cli->mem);
    blob_name(content, hex);
    hash = arena_copy(&a->cli->mem, slice_from(hex));
    if (!safe || !hash.data) return err_no_memory(err);
    TRY(text_nfc(slice_from(safe), &a->cli->mem, &name, err));
    const char *type = attachment_media_type(name, &kind);
    give(a, ATTACHMENT_FILE_NAME, value_text(name));
    give(a, ATTACHMENT_MEDIA_TYPE, value_text(slice_from(type)));
    give(a, ATTACHMENT_SIZE, value_int(bytes));
    give(a, ATTACHMENT_CONTENT, value_text(hash));
    TRY(give_option(a, "--title", ATTACHMENT_TITLE, value_text(name), err));
    TRY(give_option(a, "--kind", ATTACHMENT_KIND, value_int(kind), err));
    return give_option(a, "--taken", ATTACHMENT_TAKEN_AT, value_int(info.written_ms), err);
}

static enum status save(struct attach *a, int64_t *out_id, struct err *err) {
    uint32_t batch;
    TRY(store_begin(a->cli->store, err));
    enum status status = store_create(a->cli->store, a->e, a->edits, a->count, out_id, err);
    if (status == ST_OK) status = store_commit(a->cli->store, &batch, err);
    if (status != ST_OK) store_rollback(a->cli->store);
    return status;
}

static enum status check_name(const char *path, struct err *err) {
    if (text_is_utf8(slice_from(path))) return ST_OK;
    return err_set(err, ST_INVALID, "the file's name is not UTF-8: rename it first",
                   "文件名不是 UTF-8 编码：请先重命名");
}

enum status cli_attach_add(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct attach a = {.cli = cli, .e = attachment_entity(cli->cat)};
    const struct entity *e;
    struct blobs blobs;
    struct hash content;
    int64_t about, bytes, id = 0;
    const char *path = line->words[2];
    TRY(cli_entity(cli, 0, &e, err));
    TRY(store_resolve(cli->store, e, slice_from(cli_word(cli, 1)), &about, err));
    TRY(check_name(path, err));
    TRY(give_about(&a, e, about, err));
    TRY(mover_blobs(cli->home, &blobs, err));
    TRY(blob_take_file(&blobs, path, ATTACH_BYTES_MAX, &content, &bytes, err));
    TRY(give_file(&a, path, &content, bytes, err));
    TRY(save(&a, &id, err)); /* a content without a row goes with the next sweep */
    cli_saved(cli);
    return cli_show_row(cli, a.e, id, err);
}

/* ------------------------------------------------------------------ attachments */

struct listing {
    struct cli *cli;
    struct blobs blobs;
    struct api_table *table;
    int64_t about; /* only of that row; 0: all */
    bool about_account;
    int64_t rows;
};

static bool part_of(const struct listing *l, const struct attachment *a, int64_t *out) {
    return blob_part_bytes(&l->blobs, &a->content, l->cli->identity.device, out, NULL) == ST_OK &&
           *out > 0;
}

/* The second line of the mark when it is read in Chinese. */
static void put_refusal(const struct listing *l, const struct attachment *a, struct buf *out) {
    struct slice text, part = {0};
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    if (!blob_is_marked(&l->blobs, MOVER_MARK_NO, &a->content, &mem, &text)) return;
    for (int i = 0; i <= (int)l->cli->lang && slice_cut(&text, '\n', &part); i++) continue;
    buf_put_slice(out, part);
}

static void put_person(const struct listing *l, const struct attachment *a, struct buf *out) {
    struct slice person;
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    if (store_person(l->cli->store, attachment_device(a->row), &mem, &person, NULL) == ST_OK)
        buf_put_slice(out, person);
}

static void put_where(const struct listing *l, const struct attachment *a, struct buf *out) {
    const struct cli *cli = l->cli;
    bool here = blob_is_here(&l->blobs, &a->content), there = a->arrived_ms != 0;
    SCOPED(buf_free) struct buf why = buf_new(BUF_MAX_LINE), person = buf_new(BUF_MAX_LINE);
    int64_t part;
    put_refusal(l, a, &why);
    put_person(l, a, &person);
    if (here && there)
        buf_put_text(out, cli_pick(cli, "here, and at the server", "本机和服务器"));
    else if (here)
        buf_put_text(out, cli_pick(cli, "here, not yet at the server", "本机，尚未到达服务器"));
    else if (there && part_of(l, a, &part))
        buf_printf(out, "%s%lld %%", cli_pick(cli, "at the server, here ", "服务器，本机已有 "),
                   (long long)(part * 100 / a->bytes));
    else if (there)
        buf_put_text(out, cli_pick(cli, "at the server", "服务器"));
    else
        buf_printf(out,
                   cli->lang == LANG_ZH ? "在%s的电脑上（设备 %u）"
                                        : "on the laptop of %s (device %u)",
                   buf_text(&person), attachment_device(a->row));
    if (why.len > 0) buf_printf(out, cli->lang == LANG_ZH ? "：%s" : ": %s", buf_text(&why));
}

static void put_json(const struct listing *l, const struct attachment *a) {
    struct cli *cli = l->cli;
    char hex[BLOB_NAME_BYTES + 1];
    bool here = blob_is_here(&l->blobs, &a->content), there = a->arrived_ms != 0;
    int64_t part = 0;
    SCOPED(buf_free) struct buf why = buf_new(BUF_MAX_LINE), person = buf_new(BUF_MAX_LINE);
    put_refusal(l, a, &why);
    put_person(l, a, &person);
    blob_name(&a->content, hex);
    if (!here) (void)part_of(l, a, &part);
    if (l->rows > 0) buf_put_text(&cli->out, ",\n ");
    cli_json_id(cli, a->row, true);
    cli_json_text(cli, "title", a->title, false);
    cli_json_text(cli, "file_name", a->file_name, false);
    cli_json_int(cli, "account", a->account, false);
    cli_json_int(cli, "size", a->bytes, false);
    cli_json_string(cli, "content", a->is_sound ? hex : "", false);
    cli_json_string(cli, "where", here ? "here" : there ? "server" : "laptop", false);
    cli_json_bool(cli, "here", here, false);
    cli_json_bool(cli, "at_server", there, false);
    cli_json_int(cli, "bytes_here", here ? a->bytes : part, false);
    cli_json_int(cli, "device", attachment_device(a->row), false);
    cli_json_string(cli, "person", buf_text(&person), false);
    cli_json_string(cli, "refused", buf_text(&why), false);
    buf_put_byte(&cli->out, '}');
}

static void put_table_row(struct listing *l, const struct attachment *a) {
    struct cli *cli = l->cli;
    struct arena mem = arena_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    const struct field *kind = attachment_field(attachment_entity(cli->cat), ATTACHMENT_KIND);
    struct slice label = {0};
    char id[ID_TEXT_BYTES];
    id_format(a->row, id);
    cli_table_text(l->table, id);
    api_table_cell(l->table, a->title);
    if (a->kind &&
        api_value_text(&cli->book, kind, value_int(a->kind), &mem, &label, NULL) != ST_OK)
        label = (struct slice){0};
    api_table_cell(l->table, label);
    cli_put_bytes(a->bytes, &text);
    cli_table_text(l->table, buf_text(&text));
    cli_table_row(cli, l->table, catalogue_entity(cli->cat, SLICE("account")), a->account);
    buf_reset(&text);
    put_where(l, a, &text);
    cli_table_text(l->table, buf_text(&text));
    arena_clear(&mem);
}

static enum status list_one(void *ctx, const struct attachment *a, struct err *err) {
    struct listing *l = ctx;
    if (l->cli->json)
        put_json(l, a);
    else
        put_table_row(l, a);
    l->rows++;
    return cli_flush_some(l->cli, err);
}

static enum status list_row(void *ctx, const struct row *row, struct err *err) {
    struct attachment a;
    attachment_read(row, &a);
    return list_one(ctx, &a, err);
}

static enum status list_about(struct listing *l, struct err *err) {
    struct cli *cli = l->cli;
    const struct entity *about, *e = attachment_entity(cli->cat);
    enum attachment_tag tag;
    int64_t id;
    TRY(cli_row(cli, 0, &about, &id, err));
    if (!tag_about(about, &tag))
        return err_set(err, ST_INVALID,
                       "files are attached to an account, a visit, an opportunity or a contact",
                       "附件只能添加到客户、拜访、商机或联系人");
    struct condition condition = {
        .field = attachment_field(e, tag), .compare = COMPARE_EQ, .value = value_int(id)};
    struct query query = {.entity = e, .conditions = &condition, .condition_count = 1};
    return store_list(cli->store, &query, list_row, l, err);
}

enum status cli_attach_list(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {
        {.label = {"ID", "编号"}},      {.label = {"Title", "标题"}},
        {.label = {"Kind", "类型"}},    {.label = {"Size", "大小"}, .right = true},
        {.label = {"Account", "客户"}}, {.label = {"Where", "位置"}}};
    struct cli *cli = program;
    struct listing l = {.cli = cli};
    TRY(mover_blobs(cli->home, &l.blobs, err));
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &l.table, err));
    enum status status = line->word_count
                             ? list_about(&l, err)
                             : attachment_list(cli->store, NULL, false, list_one, &l, err);
    if (status == ST_OK) cli_list_end(cli, l.table, l.rows, "no attachments here", "没有附件");
    cli_table_close(&l.table);
    return status;
}

/* ------------------------------------------------------------------ a copy for a person */

static enum status not_here(struct cli *cli, const struct attachment *a, struct err *err) {
    struct slice person;
    TRY(store_person(cli->store, attachment_device(a->row), &cli->mem, &person, err));
    if (a->arrived_ms)
        return err_set(err, ST_NOT_FOUND, "the file is at the server: roadbook fetch %s brings it",
                       "文件在服务器上：运行 roadbook fetch %s 取回", cli_word(cli, 0));
    return err_set(err, ST_NOT_FOUND,
                   "the file is on the laptop of %.*s (device %u) and not yet at the server",
                   "文件在 %.*s 的电脑上（设备 %u），尚未到达服务器", (int)person.len,
                   (const char *)person.data, attachment_device(a->row));
}

enum status cli_attach_export(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e = attachment_entity(cli->cat);
    struct attachment a;
    struct blobs blobs;
    struct row row;
    int64_t id;
    TRY(store_resolve(cli->store, e, slice_from(cli_word(cli, 0)), &id, err));
    TRY(store_get(cli->store, e, id, &cli->mem, &row, err));
    attachment_read(&row, &a);
    const char *path =
        line->word_count > 1 ? line->words[1] : attachment_safe_name(a.file_name, &cli->mem);
    if (!path) return err_no_memory(err);
    TRY(mover_blobs(cli->home, &blobs, err));
    if (!a.is_sound || !blob_is_here(&blobs, &a.content)) return not_here(cli, &a, err);
    TRY(blob_copy_to(&blobs, &a.content, path, err));
    if (cli->json) {
        cli_json_id(cli, id, true);
        cli_json_string(cli, "file", path, false);
        buf_put_text(&cli->out, "}\n");
        return ST_OK;
    }
    cli_say(cli, "%s\n", "%s\n", path);
    return ST_OK;
}

/* ------------------------------------------------------------------ data-saver */

static void say_rules(struct cli *cli, const struct mover_rules *rules) {
    SCOPED(buf_free) struct buf below = buf_new(BUF_MAX_LINE), prefetch = buf_new(BUF_MAX_LINE);
    if (cli->json) {
        cli_json_bool(cli, "saver", rules->saver, true);
        cli_json_int(cli, "below_bytes", rules->saver_bytes, false);
        cli_json_int(cli, "prefetch_bytes", rules->prefetch_bytes, false);
        buf_put_text(&cli->out, "}\n");
        return;
    }
    cli_put_bytes(rules->saver_bytes, &below);
    cli_put_bytes(rules->prefetch_bytes, &prefetch);
    if (rules->saver)
        cli_say(
            cli,
            "Data saver is on: files above %s move only with roadbook send and fetch. Rows "
            "always move.\n",
            "省流量模式已开启：超过 %s 的文件仅在 roadbook send、fetch 时传输。记录照常同步。\n",
            buf_text(&below));
    else
        cli_say(cli, "Data saver is off: files go to the server by themselves.\n",
                "省流量模式已关闭：文件会自动发送到服务器。\n");
    cli_say(cli, "Photos and signatures of own accounts up to %s come by themselves.\n",
            "自己客户的照片和签名，%s 以内的会自动取回。\n", buf_text(&prefetch));
}

enum status cli_attach_saver(void *program, const struct command_line *line, struct err *err) {
    enum { KB = 1024, KB_MAX = 1024 * 1024 };
    struct cli *cli = program;
    struct mover_rules rules;
    int64_t below_kb, prefetch_kb;
    const char *word = cli_word(cli, 0);
    bool is_on = strcmp(word, "on") == 0, is_off = strcmp(word, "off") == 0;
    TRY(mover_rules(cli->store, &rules, err));
    if (word[0] && !is_on && !is_off)
        return err_set(err, ST_USAGE, "data-saver is on or off", "data-saver 须为 on 或 off");
    if (word[0]) rules.saver = is_on;
    TRY(command_number(line, "--below", 0, KB_MAX, rules.saver_bytes / KB, &below_kb, err));
    TRY(command_number(line, "--prefetch", 0, KB_MAX, rules.prefetch_bytes / KB, &prefetch_kb,
                       err));
    rules.saver_bytes = below_kb * KB;
    rules.prefetch_bytes = prefetch_kb * KB;
    if (word[0] || line->given_count > 0) {
        TRY(mover_rules_set(cli->store, &rules, err));
        cli_saved(cli);
    }
    say_rules(cli, &rules);
    return ST_OK;
}
