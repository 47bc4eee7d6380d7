/* Imports and exports against a laptop's store. */
#include "tests/unit/api_world.h"
#include "tests/unit/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ heads */

TEST(columns_are_known_in_both_languages) {
    static const struct {
        const char *name, *head, *mapping;
    } ROWS[] = {
        {"names", "name,external_no", "name -> name\nexternal_no -> external_no\n"},
        {"blanks for underlines, any case", "NAME,External No", "NAME -> name\nExternal No -> external_no\n"},
        {"English labels", "Account name,Credit limit", "Account name -> name\nCredit limit -> credit_limit\n"},
        {"Chinese labels", "客户名称,统一社会信用代码", "客户名称 -> name\n统一社会信用代码 -> registration_no\n"},
        {"names of other systems", "公司名称,Sector,股票代码",
         "公司名称 -> name\nSector -> industry\n股票代码 -> external_no\n"},
        {"full width, blanks around", "　Ｎａｍｅ　, 城市 ", "Ｎａｍｅ -> name\n城市 -> city\n"},
        {"units in brackets", "客户,信用额度(元),Annual revenue [USD],年销售额（万）",
         "客户 -> name\n信用额度(元) -> credit_limit\nAnnual revenue [USD] -> annual_revenue\n"
         "年销售额（万） -> - (annual_revenue has a column already)\n"},
        {"the exact name goes first", "Company,name", "Company -> - (name has a column already)\nname -> name\n"},
        {"of two columns the first", "公司,客户", "公司 -> name\n客户 -> - (name has a column already)\n"},
        {"unknown and computed", "name,Shoe size,Last visit",
         "name -> name\nShoe size -> - (no such field)\nLast visit -> - (last_visit_on is computed)\n"},
        {"a column without a name", "name,,city", "name -> name\ncity -> city\n"},
    };
    for EACH(row, ROWS) {
        struct api_world a;
        struct err err;
        api_start(&a);
        struct import_options options = api_options(&a, "account", row->head);
        CHECK_OK(api_try(&a, &options, &err));
        CHECK_ROW_SLICE(row, a.totals.mapping, slice_from(row->mapping));
        api_stop(&a);
    }
}

TEST(what_the_person_says_about_columns_goes_first) {
    static const struct {
        const char *name, *map;
        enum status status;
        const char *mapping;
    } ROWS[] = {
        {"another field", "firm=short_name", ST_OK, "firm -> short_name\nname -> name\n"},
        {"by label", "FIRM=客户名称", ST_OK, "firm -> name\nname -> - (name has a column already)\n"},
        {"left out", "name=-, firm=name", ST_OK, "firm -> name\nname -> - (left out by --map)\n"},
        {"no such column", "shop=name", ST_USAGE, NULL},
        {"no such field", "firm=shoe", ST_USAGE, NULL},
        {"no sign", "firm", ST_USAGE, NULL},
        {"twice the same field", "firm=city,name=city", ST_USAGE, NULL},
        {"a computed field", "firm=last_visit_on", ST_USAGE, NULL},
    };
    for EACH(row, ROWS) {
        struct api_world a;
        struct err err;
        api_start(&a);
        struct import_options options = api_options(&a, "account", "firm,name\n");
        options.map = slice_from(row->map);
        CHECK_ROW_INT(row, api_try(&a, &options, &err), row->status);
        if (row->mapping) CHECK_ROW_SLICE(row, a.totals.mapping, slice_from(row->mapping));
        api_stop(&a);
    }
}

TEST(files_that_cannot_be_taken_at_all) {
    static const struct {
        const char *name, *text;
        enum status status;
    } ROWS[] = {
        {"empty", "", ST_INVALID},
        {"no column is a field", "shoe,size\n1,2\n", ST_INVALID},
        {"in no encoding", "name\n\xFF\xFF\n", ST_INVALID},
        {"a quote without end", "name\n\"x\n", ST_INVALID},
    };
    for EACH(row, ROWS) {
        struct api_world a;
        struct err err;
        api_start(&a);
        struct import_options options = api_options(&a, "account", row->text);
        CHECK_ROW_INT(row, api_try(&a, &options, &err), row->status);
        CHECK_INT(api_rows(&a, "account"), 0);
        api_stop(&a);
    }
}

/* ------------------------------------------------------------------ cells */

TEST(rows_come_in) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "客户编号,客户名称,行业,客户类型\n000001.SZ,平安银行,银行,上市公司\n000002.SZ,万科Ａ,地产,listed\n",
             "2+ 3+");
    CHECK_INT(a.totals.rows[IMPORT_CREATED], 2);
    CHECK_INT(a.totals.batches, 1);
    CHECK_TEXT(a.totals.encoding, "utf-8");
    api_shows(&a, "account", "external_no", "000001.SZ", "name", "平安银行");
    api_shows(&a, "account", "external_no", "000002.SZ", "kind", "Listed company");
    CHECK_INT(a.last_id, api_row(&a, "account", "external_no", "000002.SZ"));
    CHECK_INT(world_number(&a.w, "SELECT count(*) FROM outbox"), 1);
    api_stop(&a);
}

TEST(quirks_of_files_are_understood) {
    static const struct {
        const char *name, *text, *field, *expected;
    } ROWS[] = {
        {"a byte order mark", "\xEF\xBB\xBFname,city\nAcme,Bonn\n", "city", "Bonn"},
        {"line breaks in quotes", "name,remarks\r\nAcme,\"one\r\ntwo\"\r\n", "remarks", "one\ntwo"},
        {"bars", "name|street\nAcme|Main St, 5\n", "street", "Main St, 5"},
        {"a date with slashes", "name,founded_on\nAcme,2019/2/8\n", "founded_on", "2019-02-08"},
        {"a date without signs", "name,成立日期\nAcme,19501229\n", "founded_on", "1950-12-29"},
        {"money with signs", "name,Credit limit\nAcme,\"¥1,234.5\"\n", "credit_limit", "1234.50"},
        {"elements of a set", "name,tags\nAcme,b；a、b\n", "tags", "a, b"},
        {"an element a line", "name,phones\nAcme,\"2\r\n1\n\"\n", "phones", "1, 2"},
        {"blanks around", "name,city\n Acme ,　深圳　\n", "city", "深圳"},
        {"fewer columns than the head", "name,city,street\nAcme,Bonn\n", "city", "Bonn"},
        {"empty columns too many", "name,city\nAcme,Bonn,,\n", "city", "Bonn"},
    };
    for EACH(row, ROWS) {
        struct api_world a;
        api_start(&a);
        struct err err;
        struct import_options options = api_options(&a, "account", row->text);
        CHECK_ROW_INT(row, api_try(&a, &options, &err), ST_OK);
        CHECK_ROW_INT(row, a.totals.rows[IMPORT_CREATED], 1);
        api_shows(&a, "account", "name", "Acme", row->field, row->expected);
        api_stop(&a);
    }
}

TEST(a_file_in_gb18030) {
    struct api_world a;
    struct err err;
    struct buf file = buf_new(BUF_MAX_MESSAGE);
    char piece[4096];
    FILE *in = fopen("tools/demo-data/accounts-cn.csv", "rb");
    CHECK(in);
    for (size_t got; (got = fread(piece, 1, sizeof piece, in)) > 0;) buf_put(&file, piece, got);
    fclose(in);
    api_start(&a);
    struct import_options options = api_options(&a, "account", "");
    options.bytes = buf_slice(&file);
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_TEXT(a.totals.encoding, "gb18030");
    CHECK_INT(a.totals.rows[IMPORT_CREATED], 120);
    CHECK_INT(a.totals.rows[IMPORT_REFUSED], 0);
    api_shows(&a, "account", "external_no", "000001.SZ", "name", "平安银行");
    api_shows(&a, "account", "external_no", "000002.SZ", "province", "深圳");
    api_stop(&a);
    buf_free(&file);
}

TEST(a_row_that_is_wrong_is_refused_alone) {
    static const struct {
        const char *name, *row, *why;
    } ROWS[] = {
        {"a required field is missing", ",Bonn,", "Account name"},
        {"not in the list", "Bad,Bonn,shop", "Kind"},
        {"more columns than the head", "Bad,Bonn,,x", "more columns"},
    };
    for EACH(row, ROWS) {
        struct api_world a;
        char text[256];
        api_start(&a);
        snprintf(text, sizeof text, "name,city,kind\nFirst,Bonn,large\n%s\nLast,Bonn,\n", row->row);
        api_take(&a, "account", text, "2+ 3! 4+");
        CHECK_INT(a.totals.rows[IMPORT_REFUSED], 1);
        CHECK_ROW(row, strstr(a.why.text[LANG_EN], row->why));
        CHECK_INT(api_rows(&a, "account"), 2);
        api_stop(&a);
    }
}

/* ------------------------------------------------------------------ references */

TEST(references_are_found_by_key_number_and_title) {
    struct api_world a;
    char text[512], id[ID_TEXT_BYTES];
    api_start(&a);
    world_pull(&a.w, "product", id_make(1, 5), "sku", "GTX-1");
    api_take(&a, "account", "name,external_no\nAcme,100\n平安银行,000001.SZ\nTwin,\nTwin,\n100,7\n", "2+ 3+ 4+ 5+ 6+");
    id_format(api_row(&a, "account", "external_no", "000001.SZ"), id);
    snprintf(text, sizeof text,
             "external_no,account,name,product\na,Acme,x,GTX-1\nb,000001.SZ,x,\nc,ＡＣＭＥ,x,\nd,%s,x,\n"
             "e,Twin,x,\nf,Nobody,x,\ng,100,x,\nh,Acme,x,GTX-2\ni,Acm,x,\n", id);
    api_take(&a, "opportunity", text, "2+ 3+ 4+ 5+ 6! 7! 8+ 9! 10!");
    api_shows(&a, "opportunity", "external_no", "a", "account", "Acme");
    api_shows(&a, "opportunity", "external_no", "b", "account", "平安银行");
    api_shows(&a, "opportunity", "external_no", "c", "account", "Acme");
    api_shows(&a, "opportunity", "external_no", "d", "account", "平安银行");
    api_shows(&a, "opportunity", "external_no", "g", "account", "Acme");       /* the number before the title */
    CHECK(strstr(a.why.text[LANG_EN], "\"Acm\""));
    CHECK(strstr(a.why.text[LANG_EN], "Account"));
    api_stop(&a);
}

TEST(a_row_of_the_same_file_can_be_referred_to) {
    struct api_world a;
    api_start(&a);
    a.batch_rows_max = 1;
    api_take(&a, "account", "name,parent\nBig,\nSmall,Big\nTiny,Small\nOdd,Later\nLater,\n", "2+ 3+ 4+ 5! 6+");
    api_shows(&a, "account", "name", "Small", "parent", "Big");
    api_shows(&a, "account", "name", "Tiny", "parent", "Small");
    api_stop(&a);
}

/* ------------------------------------------------------------------ updates */

TEST(a_second_import_changes_only_what_differs) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "external_no,name,city,tags\n1,Acme,Bonn,a;b\n2,Betax,Kiel,\n", "2+ 3+");
    api_take_by(&a, "account", "external_no", "external_no,name,city,tags\n1,Acme,Bonn,b;a\n2,Betax,Köln,x\n3,New,,\n",
                "2= 3~ 4+");
    CHECK_INT(a.totals.rows[IMPORT_UNCHANGED], 1);
    api_shows(&a, "account", "external_no", "2", "city", "Köln");
    api_shows(&a, "account", "external_no", "2", "tags", "x");
    CHECK_INT(api_rows(&a, "account"), 3);
    api_stop(&a);
}

TEST(a_set_is_set_whole) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "external_no,name,tags\n1,Acme,a;b;c\n", "2+");
    api_take_by(&a, "account", "external_no", "external_no,tags\n1,b;d\n", "2~");
    api_shows(&a, "account", "external_no", "1", "tags", "b, d");
    api_stop(&a);
}

TEST(an_empty_cell_says_nothing) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "external_no,name,city,tags\n1,Acme,Bonn,a\n", "2+");
    api_take_by(&a, "account", "external_no", "external_no,name,city,tags\n1,Acme,,\n", "2=");
    api_shows(&a, "account", "external_no", "1", "city", "Bonn");
    api_shows(&a, "account", "external_no", "1", "tags", "a");
    api_stop(&a);
}

TEST(a_counter_is_set) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "external_no,name,points\n1,Acme,10\n", "2+");
    api_take_by(&a, "account", "external_no", "external_no,points\n1,25\n1,25\n", "2~ 3=");
    api_shows(&a, "account", "external_no", "1", "points", "25");
    api_stop(&a);
}

TEST(the_later_row_with_the_same_key_updates_the_earlier) {
    struct api_world a;
    api_start(&a);
    api_take_by(&a, "account", "external_no", "external_no,name,city\n1,Acme,Bonn\n1,Acme,Kiel\n1,Acme,Kiel\n", "2+ 3~ 4=");
    CHECK_INT(api_rows(&a, "account"), 1);
    api_shows(&a, "account", "external_no", "1", "city", "Kiel");
    api_stop(&a);
}

TEST(a_key_that_several_rows_have_updates_none) {
    struct api_world a;
    api_start(&a);
    api_take(&a, "account", "name,city\nTwin,Bonn\nTwin,Kiel\n", "2+ 3+");
    api_take_by(&a, "account", "name", "name,city\nTwin,Rome\nOther,Rome\n", "2! 3+");
    CHECK_INT(a.totals.rows[IMPORT_REFUSED], 1);
    api_stop(&a);
}

TEST(rows_without_a_key_are_created) {
    struct api_world a;
    api_start(&a);
    api_take_by(&a, "account", "external_no", "external_no,name\n,Acme\n,Acme\n", "2+ 3+");
    api_stop(&a);
}

TEST(an_import_may_only_create_or_only_update) {
    struct api_world a;
    struct err err;
    api_start(&a);
    api_take(&a, "account", "external_no,name\n1,Acme\n", "2+");
    struct import_options options = api_options(&a, "account", "external_no,name\n1,Acme B\n2,Betax\n");
    options.match = fixture_field(options.entity, "external_no");
    options.mode = IMPORT_UPDATE_ONLY;
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_TEXT(buf_text(&a.report), "2~ 3!");
    options.mode = IMPORT_CREATE_ONLY;
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_TEXT(buf_text(&a.report), "2! 3+");
    options.match = NULL;                                  /* accounts have no natural key */
    options.mode = IMPORT_UPDATE_ONLY;
    CHECK_STATUS(api_try(&a, &options, &err), ST_USAGE);
    options.match = fixture_field(options.entity, "short_name");
    CHECK_STATUS(api_try(&a, &options, &err), ST_USAGE);
    api_stop(&a);
}

/* The key of a participant is visit, contact and employee; it is found without being named. */
TEST(a_natural_key_of_several_fields_finds_its_row) {
    struct api_world a;
    char text[256], id[ID_TEXT_BYTES];
    api_start(&a);
    api_take(&a, "account", "name\nAcme\n", "2+");
    api_take(&a, "contact", "account,name\nAcme,Ann\nAcme,Bob\n", "2+ 3+");
    api_take(&a, "visit", "account,business_date\nAcme,2026-03-01\n", "2+");
    id_format(a.last_id, id);
    snprintf(text, sizeof text, "visit,contact,role\n%s,Ann,host\n%s,Bob,host\n%s,Ann,decider\n%s,Bob,host\n", id, id, id, id);
    api_take(&a, "visit_participant", text, "2+ 3+ 4~ 5=");
    CHECK_INT(api_rows(&a, "visit_participant"), 2);
    api_stop(&a);
}

/* ------------------------------------------------------------------ batches */

TEST(a_dry_run_says_the_same_and_writes_nothing) {
    struct api_world a;
    struct err err;
    const char *text = "external_no,name,city,parent\n1,Acme,Bonn,\n2,Sub,,Acme\n2,Sub,Kiel,Acme\n2,Sub,Kiel,\n3,,,\n4,X,,Nobody\n"
                       "5,Old,Rome,\n6,Older,,\n";
    api_start(&a);
    api_take(&a, "account", "external_no,name,city\n5,Old,Bonn\n6,Older,\n", "2+ 3+");
    int64_t batches = world_number(&a.w, "SELECT count(*) FROM outbox");
    struct import_options options = api_options(&a, "account", text);
    options.match = fixture_field(options.entity, "external_no");
    options.dry_run = true;
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_TEXT(buf_text(&a.report), "2+ 3+ 4~ 5= 6! 7! 8~ 9=");
    CHECK_INT(a.totals.batches, 0);
    CHECK_INT(api_rows(&a, "account"), 2);
    CHECK_INT(world_number(&a.w, "SELECT count(*) FROM outbox"), batches);
    options.dry_run = false;
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_TEXT(buf_text(&a.report), "2+ 3+ 4~ 5= 6! 7! 8~ 9=");
    api_stop(&a);
}

TEST(a_full_batch_is_committed_and_the_row_goes_into_the_next) {
    struct api_world a;
    api_start(&a);
    a.batch_rows_max = 2;
    api_take_by(&a, "account", "external_no", "external_no,name,tags\n1,A,x\n2,B,x\n3,C,x\n1,A,y\n5,E,x\n", "2+ 3+ 4+ 5~ 6+");
    CHECK_INT(a.totals.batches, 3);                        /* two, two, one */
    CHECK_INT(api_rows(&a, "account"), 4);
    api_shows(&a, "account", "external_no", "1", "tags", "y");
    CHECK_INT(world_number(&a.w, "SELECT count(*) FROM outbox"), 3);
    api_stop(&a);
}

/* The row that meets the full batch updates one of that same batch. */
TEST(an_update_survives_the_commit_of_the_batch_that_it_stands_on) {
    struct api_world a;
    api_start(&a);
    a.batch_rows_max = 1;
    api_take_by(&a, "account", "external_no", "external_no,name,tags,city\n1,A,x;y,Bonn\n1,A,y;z,\n1,A,z,Kiel\n", "2+ 3~ 4~");
    CHECK_INT(a.totals.batches, 3);
    api_shows(&a, "account", "external_no", "1", "tags", "z");
    api_shows(&a, "account", "external_no", "1", "city", "Kiel");
    api_stop(&a);
}

TEST(more_rows_than_a_batch_of_the_store_takes) {
    enum { ROWS = BATCH_ROWS_MAX + 10 };
    struct api_world a;
    struct err err;
    struct buf text = buf_new(BUF_MAX_MESSAGE);
    api_start(&a);
    buf_put_text(&text, "name\n");
    for (int i = 0; i < ROWS; i++) buf_printf(&text, "Account %d\n", i);
    struct import_options options = api_options(&a, "account", "");
    options.bytes = buf_slice(&text);
    CHECK_OK(api_try(&a, &options, &err));
    CHECK_INT(a.totals.rows[IMPORT_CREATED], ROWS);
    CHECK_INT(a.totals.batches, 2);
    CHECK_INT(api_rows(&a, "account"), ROWS);
    CHECK(a.progress_count > ROWS / 100);
    api_stop(&a);
    buf_free(&text);
}

TEST(a_row_that_no_batch_takes_is_refused) {
    struct api_world a;
    api_start(&a);
    a.batch_rows_max = -1;                                 /* full before the first */
    api_take(&a, "account", "name\nAcme\nBetax\n", "2! 3!");
    CHECK_INT(a.why.status, ST_TOO_LARGE);
    CHECK_INT(api_rows(&a, "account"), 0);
    api_stop(&a);
}

TEST(nothing_is_reported_that_was_not_committed) {
    struct api_world a;
    struct err err;
    api_start(&a);
    a.commit_fails = true;
    struct import_options options = api_options(&a, "account", "name\nAcme\nBetax\n");
    CHECK_STATUS(api_try(&a, &options, &err), ST_DISK);
    CHECK_TEXT(buf_text(&a.report), "");
    CHECK_INT(api_rows(&a, "account"), 0);
    api_stop(&a);
}

TEST(a_person_may_stop_an_import) {
    struct api_world a;
    struct err err;
    struct buf text = buf_new(BUF_MAX_MESSAGE);
    api_start(&a);
    buf_put_text(&text, "name\n");
    for (int i = 0; i < 1000; i++) buf_printf(&text, "Account %d\n", i);
    struct import_options options = api_options(&a, "account", "");
    options.bytes = buf_slice(&text);
    a.stop_after = 2;
    CHECK_STATUS(api_try(&a, &options, &err), ST_CANCELLED);
    CHECK(a.totals.rows[IMPORT_CREATED] > 0);
    CHECK(a.totals.rows[IMPORT_CREATED] < 1000);
    CHECK_INT(api_rows(&a, "account"), a.totals.rows[IMPORT_CREATED]);
    api_stop(&a);
    buf_free(&text);
}

/* ------------------------------------------------------------------ export */

static enum status collect(void *ctx, struct slice piece, struct err *err) {
    (void)err;
    buf_put_slice(ctx, piece);
    return ST_OK;
}

static void export_all(struct api_world *a, const char *entity, enum export_form form, bool bom, struct buf *out,
                       int64_t rows_expected) {
    struct query all = {.entity = world_entity(&a->w, entity)};
    struct err err;
    int64_t rows = 0;
    buf_reset(out);
    CHECK_OK(export_run(&a->book, &all, form, bom, collect, out, &rows, &err));
    CHECK_INT(rows, rows_expected);
    CHECK(!out->failed);
}

TEST(what_is_exported_comes_back_the_same) {
    struct api_world a, b;
    struct err err;
    struct buf first = buf_new(BUF_MAX_MESSAGE), again = buf_new(BUF_MAX_MESSAGE), visits = buf_new(BUF_MAX_MESSAGE);
    api_start(&a);
    api_start(&b);
    api_take(&a, "account",
             "external_no,name,parent,tags,phones,kind,credit_limit,credit_currency,founded_on,points,remarks,status\n"
             "100,Acme,,a;b,\"2\n(02) 33\",listed,1234.5,CNY,1950-12-29,-3,\"say \"\"hi\"\",\ntwo\",active\n"
             ",\"Sub, Ltd\",100,,\"12, 3\",,,,,,,\n"
             ",平安银行,Acme,x;y,,large,,,,,；，,lost\n", "2+ 5+ 6+");
    api_take(&a, "visit",
             "account,started_at,ended_at,lat,lon,score,state,talking_points,face_to_face\n"
             "Acme,2026-03-01T09:30:00+08:00,2026-03-01T10:30,31.2304,-121.5,96.5,submitted,谈了价格,yes\n"
             "平安银行,,,,,,draft,,no\n", "2+ 3+");
    export_all(&a, "account", EXPORT_CSV, true, &first, 3);
    CHECK(slice_starts(buf_slice(&first), SLICE("\xEF\xBB\xBFid,name,short_name,")));
    CHECK(strstr(buf_text(&first), "\r\n\"=\"\""));        /* what Excel takes for a text, not for a date */
    CHECK(strstr(buf_text(&first), "\"\"\",\"Sub, Ltd\","));
    struct import_options options = api_options(&b, "account", buf_text(&first));
    CHECK_OK(api_try(&b, &options, &err));
    CHECK_INT(b.totals.rows[IMPORT_CREATED], 3);
    export_all(&b, "account", EXPORT_CSV, true, &again, 3);
    CHECK_SLICES(buf_slice(&again), buf_slice(&first));
    export_all(&a, "visit", EXPORT_CSV, false, &visits, 2);
    CHECK(strstr(buf_text(&visits), ",100,,,"));         /* the account by its number, which only it has */
    options = api_options(&b, "visit", buf_text(&visits));
    CHECK_OK(api_try(&b, &options, &err));
    CHECK_INT(b.totals.rows[IMPORT_CREATED], 2);
    export_all(&b, "visit", EXPORT_CSV, false, &again, 2);
    CHECK_SLICES(buf_slice(&again), buf_slice(&visits));
    api_stop(&a);
    api_stop(&b);
    buf_free(&first);
    buf_free(&again);
    buf_free(&visits);
}

TEST(a_name_that_two_rows_have_is_not_used_as_reference) {
    struct api_world a;
    struct buf out = buf_new(BUF_MAX_MESSAGE);
    char id[ID_TEXT_BYTES], expected[64];
    api_start(&a);
    api_take(&a, "account", "name\nTwin\nTwin\n", "2+ 3+");
    int64_t second = a.last_id;
    id_format(second, id);
    snprintf(expected, sizeof expected, "account,name\n%s,Ann\n", id);
    api_take(&a, "contact", expected, "2+");
    export_all(&a, "contact", EXPORT_CSV, false, &out, 1);
    snprintf(expected, sizeof expected, ",%s,Ann,", id);
    CHECK(strstr(buf_text(&out), expected));
    api_stop(&a);
    buf_free(&out);
}

TEST(json_lines_hold_one_object_a_row) {
    struct api_world a;
    struct buf out = buf_new(BUF_MAX_MESSAGE);
    struct json *json SCOPED(json_free) = NULL;
    struct slice text;
    struct err err;
    int64_t id;
    api_start(&a);
    api_take(&a, "account", "name,tags\n平安银行,a;b\n", "2+");
    export_all(&a, "account", EXPORT_JSONL, false, &out, 1);
    CHECK_INT(out.data[out.len - 1], '\n');
    CHECK_OK(json_parse(buf_slice(&out), &json, &err));
    CHECK(json_text(json_member(json, "name"), &text));
    CHECK_SLICE(text, "平安银行");
    CHECK_INT(json_count(json_member(json, "tags")), 2);
    CHECK(json_int(json_member(json, "id"), &id));
    CHECK_INT(id, a.last_id);
    api_stop(&a);
    buf_free(&out);
}

static enum status refuse(void *ctx, struct slice piece, struct err *err) {
    (void)ctx, (void)piece;
    return err_set(err, ST_DISK, "the disk is full", "磁盘已满");
}

TEST(an_export_ends_when_it_cannot_be_written) {
    struct api_world a;
    struct err err;
    int64_t rows = -1;
    api_start(&a);
    api_take(&a, "account", "name\nAcme\n", "2+");
    struct query all = {.entity = world_entity(&a.w, "account")};
    CHECK_STATUS(export_run(&a.book, &all, EXPORT_CSV, false, refuse, NULL, &rows, &err), ST_DISK);
    CHECK_INT(rows, -1);
    api_stop(&a);
}

/* ------------------------------------------------------------------ memory that runs out */

TEST(an_import_without_memory_fails_cleanly_and_works_afterwards) {
    const char *text = "external_no,name,parent,tags\n1,Acme,,a;b\n2,平安银行,1,\n2,平安银行,Acme,ｃ\n3,Bad,Nobody,\n";
    bool fired = true;
    for (size_t n = 1; fired; n += 1 + n / 10) {           /* each of the first, then ever fewer */
        struct api_world a;
        struct err err;
        api_start(&a);
        struct import_options options = api_options(&a, "account", text);
        options.match = fixture_field(options.entity, "external_no");
        fault_arm(n);
        enum status status = api_try(&a, &options, &err);
        fired = fault_fired();
        fault_disarm();
        if (status != ST_OK) {
            CHECK_INT(status, ST_NO_MEMORY);
            CHECK_INT(api_rows(&a, "account"), 0);
            CHECK_OK(api_try(&a, &options, &err));
        }
        CHECK(!a.report.failed || fired);
        CHECK_INT(api_rows(&a, "account"), 2);
        api_shows(&a, "account", "external_no", "2", "parent", "Acme");
        api_shows(&a, "account", "external_no", "2", "tags", "ｃ");
        api_stop(&a);
    }
}

TEST(an_export_without_memory_fails_cleanly) {
    struct api_world a;
    struct buf whole = buf_new(BUF_MAX_MESSAGE), out = buf_new(BUF_MAX_MESSAGE);
    bool fired = true;
    api_start(&a);
    api_take(&a, "account", "name,parent\nAcme,\n平安银行,Acme\nTwin,\nTwin,Acme\n", "2+ 3+ 4+ 5+");
    export_all(&a, "account", EXPORT_CSV, false, &whole, 4);
    struct query all = {.entity = world_entity(&a.w, "account")};
    for (size_t n = 1; fired; n += 1 + n / 10) {
        struct err err;
        int64_t rows;
        buf_reset(&out);
        fault_arm(n);
        enum status status = export_run(&a.book, &all, EXPORT_CSV, false, collect, &out, &rows, &err);
        fired = fault_fired();
        fault_disarm();
        if (status != ST_OK) CHECK_INT(status, ST_NO_MEMORY);
        else if (!out.failed) CHECK_SLICES(buf_slice(&out), buf_slice(&whole));
    }
    api_stop(&a);
    buf_free(&whole);
    buf_free(&out);
}
