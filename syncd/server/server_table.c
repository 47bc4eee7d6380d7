/* The command table of `roadbook-server`: what may be typed, in both languages. Help, dispatch and
 * completion are derived from it.
 */
#include "syncd/api/command_rows.h"
#include "syncd/server/server_fields.h"
#include "syncd/server/server_keys.h"

/* ------------------------------------------------------------------ options */

static const struct command_option every[] = {
    COMMAND_OPTION("--home", NULL, "DIR", "目录",
                   "the server's folder (default: $ROADBOOK_SERVER_HOME, else "
                   "~/.local/share/roadbook-server, or /var/lib/roadbook for root)",
                   "服务器目录（默认：$ROADBOOK_SERVER_HOME，否则 ~/.local/share/roadbook-server，"
                   "root 用户为 /var/lib/roadbook）",
                   "@dir"),
    COMMAND_OPTION("--org", NULL, "NAME", "机构", "which org, when there are several",
                   "指定机构（有多个机构时）", NULL),
    COMMAND_OPTION("--as", NULL, "NAME", "姓名",
                   "who is at the keyboard, for the journal (default: the user signed in)",
                   "操作人，记入日志（默认为当前系统用户）", NULL),
    COMMAND_EVERY_OPTIONS,
};
static const struct command_option init_options[] = {
    COMMAND_OPTION("--public-url", NULL, "URL", "网址",
                   "what laptops dial (default: https://localhost:8443)",
                   "笔记本连接的地址（默认：https://localhost:8443）", NULL),
    COMMAND_OPTION("--listen", NULL, "HOST:PORT", "主机:端口",
                   "where it listens (default: 0.0.0.0:8443)", "监听地址（默认：0.0.0.0:8443）",
                   NULL),
};
#define SERVER_LIMIT_OPTION(id, name, option, standard, least, most, en, zh)                       \
    COMMAND_OPTION(option, NULL, "N", "数目", en, zh, NULL),
#define DRY_RUN                                                                                    \
    COMMAND_FLAG("--dry-run", NULL, "only say who would gain and lose how many rows",              \
                 "只显示各人将增加或失去多少可见记录，不作改动")
static const struct command_option serve_options[] = {
    COMMAND_OPTION("--listen", NULL, "HOST:PORT", "主机:端口",
                   "where it listens (default: as in server.conf)",
                   "监听地址（默认按 server.conf）", NULL),
    COMMAND_OPTION("--unix", NULL, "PATH", "路径",
                   "a Unix socket instead, behind a proxy that does the TLS",
                   "改用 Unix 套接字，由前置代理处理 TLS", "@file"),
    COMMAND_OPTION("--cert", NULL, "FILE", "文件", "the certificate with its chain, as PEM",
                   "证书（含证书链），PEM 格式", "@file"),
    COMMAND_OPTION("--key", NULL, "FILE", "文件", "the certificate's key, as PEM",
                   "证书私钥，PEM 格式", "@file"),
    COMMAND_OPTION("--public-url", NULL, "URL", "网址", "what laptops dial; written to server.conf",
                   "笔记本连接的地址，并写入 server.conf", NULL),
    COMMAND_FLAG(
        "--forwarded", NULL,
        "the proxy before the Unix socket says in X-Forwarded-For whose a request is; say "
        "so only when it sets that field itself",
        "Unix 套接字之前的代理在 X-Forwarded-For 中注明客户端地址；仅当该字段由代理自行设置时使用"),
    SERVER_LIMIT_ROWS(SERVER_LIMIT_OPTION)
        COMMAND_OPTION("--workers", NULL, "N", "数目", "threads that answer (default: 4)",
                       "处理请求的线程数（默认 4）", NULL),
    COMMAND_OPTION("--trace", NULL, "DIR", "目录", "keep each message in DIR",
                   "将每条消息保存到目录", "@dir"),
    COMMAND_FLAG("--plain", NULL, "no TLS: for tests and for a proxy on this machine",
                 "不加密：仅用于测试或本机代理之后"),
    COMMAND_FLAG("--verbose", NULL, "a log line also for exchanges that moved nothing",
                 "没有内容变动的同步也写日志"),
};
static const struct command_option org_options[] = {
    COMMAND_OPTION("--label", NULL, "TEXT", "名称", "what people call it (default: NAME)",
                   "显示名称（默认与机构名相同）", NULL),
    COMMAND_OPTION("--scope", NULL, "WHO", "范围",
                   "granted (default): by territory, team and ownership; open: everyone sees "
                   "everything",
                   "granted（默认）：按区域、团队和负责人；open：所有人可见全部内容",
                   "granted open"),
};
static const struct command_option dry_options[] = {
    DRY_RUN,
};
static const struct command_option recovery_end_options[] = {
    COMMAND_FLAG("--yes", NULL, "without laptops that are missing", "不再等待缺席的笔记本"),
};
static const struct command_option compact_options[] = {
    COMMAND_FLAG("--dry-run", NULL, "only say what would go", "只显示将清理的内容，不作改动"),
};
static const struct command_option erase_options[] = {
    COMMAND_OPTION("--why", NULL, "TEXT", "原因", "why, for the journal", "原因，记入日志", NULL),
};
static const struct command_option territory_add_options[] = {
    COMMAND_OPTION("--name", NULL, "NAME", "名称", "what it is called (default: CODE)",
                   "名称（默认与代码相同）", NULL),
    COMMAND_OPTION("--under", NULL, "TERRITORY", "区域", "the territory above it", "上级区域",
                   NULL),
    DRY_RUN,
};
static const struct command_option territory_move_options[] = {
    COMMAND_OPTION("--under", NULL, "TERRITORY", "区域", "the new one above it; - for the top",
                   "新的上级区域；- 表示顶层", NULL),
    DRY_RUN,
};
static const struct command_option team_add_options[] = {
    COMMAND_OPTION("--role", NULL, "ROLE", "角色", "what he does there", "在团队中的角色",
                   "manager inside technical service finance legal executive substitute"),
    COMMAND_OPTION("--from", NULL, "DATE", "日期",
                   "the first day, today or later (default: at once)", "开始日期，今天或以后（默认立即）",
                   NULL),
    COMMAND_OPTION("--until", NULL, "DATE", "日期", "the last day (default: open end)",
                   "最后一天（默认不限）", NULL),
    DRY_RUN,
};
static const struct command_option assign_options[] = {
    COMMAND_OPTION("--to", NULL, "LOGIN", "登录名", "who becomes the account manager",
                   "新的客户经理", NULL),
    COMMAND_OPTION("--from", NULL, "DATE", "日期",
                   "from that day on, today or later (default: now)",
                   "自该日起，今天或以后（默认立即）", NULL),
    DRY_RUN,
};
static const struct command_option handover_options[] = {
    COMMAND_OPTION("--on", NULL, "DATE", "日期",
                   "on that day, today or later (default: now)", "在该日，今天或以后（默认立即）",
                   NULL),
    COMMAND_OPTION("--reason", NULL, "TEXT", "原因", "why, for both to read", "交接双方可见的原因",
                   NULL),
    COMMAND_FLAG("--unsigned", NULL, "do not wait for signatures: one of the two is gone",
                 "不等待签字：其中一方已无法签字"),
    DRY_RUN,
};
static const struct command_option dated_options[] = {
    COMMAND_FLAG("--all", "-a", "also what is done or cancelled", "包括已执行和已取消的"),
};
static const struct command_option copy_options[] = {
    COMMAND_OPTION("--until", NULL, "TIME", "时间", "as it was then (default: the latest)",
                   "截至该时刻（默认为最新）", NULL),
};
static const struct command_option user_options[] = {
    COMMAND_OPTION("--name", NULL, "NAME", "姓名", "the person's name (default: LOGIN)",
                   "姓名（默认与登录名相同）", NULL),
    COMMAND_OPTION("--role", NULL, "ROLE", "角色", "rep (default), manager or office",
                   "rep（业务员，默认）、manager（经理）或 office（总部）", "rep manager office"),
};
static const struct command_option link_options[] = {
    COMMAND_OPTION("--days", NULL, "N", "天数", "how long it is good (default: 7)",
                   "有效天数（默认 7）", NULL),
    COMMAND_FLAG("--qr", NULL, "also as a QR code (on a terminal always)",
                 "同时显示二维码（在终端中总是显示）"),
    COMMAND_FLAG("--no-pin", NULL,
                 "without the certificate's fingerprint: a public authority vouches",
                 "不含证书指纹：证书由公共机构签发时使用"),
};
static const struct command_option list_options[] = {
    COMMAND_LIST_OPTIONS,
};
static const struct command_option import_options[] = {
    COMMAND_IMPORT_OPTIONS,
};
static const struct command_option duplicates_options[] = {
    COMMAND_OPTION("--entity", NULL, "ENTITY", "类别", "account (default) or contact",
                   "account（客户，默认）或 contact（联系人）", "account contact"),
    COMMAND_OPTION("--min", NULL, "SCORE", "分数",
                   "only pairs of at least that score (default: 60)",
                   "仅显示不低于此分数的（默认 60）", NULL),
};
static const struct command_option merge_options[] = {
    COMMAND_OPTION("--entity", NULL, "ENTITY", "类别", "account (default) or contact",
                   "account（客户，默认）或 contact（联系人）", "account contact"),
    COMMAND_OPTION("--take", NULL, "FIELD=loser,...", "字段=loser,...",
                   "whose value of a field stands: loser or survivor",
                   "指定字段取哪一方：loser（被并入方）或 survivor（保留方）", NULL),
    COMMAND_FLAG("--dry-run", NULL, "only show what would stand", "仅显示合并结果，不作改动"),
};
static const struct command_option merge_undo_options[] = {
    COMMAND_FLAG("--dry-run", NULL, "only say what would come back", "仅显示将恢复的内容"),
};
static const struct command_option rm_options[] = {
    COMMAND_FLAG("--yes", "-y", "also the rows that belong to it", "连同其下属记录一并删除"),
};
static const struct command_option export_options[] = {
    COMMAND_EXPORT_OPTIONS,
};
static const struct command_option conflict_options[] = {
    COMMAND_OPTION("--since", NULL, "SEQ", "序号", "only those after this sequence number",
                   "仅显示此序号之后的", NULL),
};
static const struct command_option content_list_options[] = {
    COMMAND_FLAG("--waiting", NULL, "only those whose file is not here yet",
                 "仅显示文件尚未到达的"),
};
static const struct command_option content_gc_options[] = {
    COMMAND_OPTION("--days", NULL, "N", "天数",
                   "keep what no row names any more that long (default: 30)",
                   "不再被任何记录使用的文件保留的天数（默认 30）", NULL),
    COMMAND_FLAG("--dry-run", NULL, "only say what would go", "仅显示将删除的内容"),
};
static const struct command_option content_limit_options[] = {
    COMMAND_OPTION("--file", NULL, "MIB", "MIB", "the largest file (default: 100)",
                   "单个文件上限（默认 100）", NULL),
    COMMAND_OPTION("--quota", NULL, "MIB", "MIB", "all files of the org (default: 20480)",
                   "机构全部文件的总容量（默认 20480）", NULL),
};
static const struct command_option request_options[] = {
    COMMAND_FLAG("--all", "-a", "also those that are closed", "包括已处理的"),
};

static const struct command_option device_list_options[] = {
    COMMAND_FLAG("--late", NULL, "only those that have not been heard of for long",
                 "仅列出久未联系的"),
    COMMAND_OPTION("--late-after", NULL, "DAYS", "天数", "how long that is (default: 3)",
                   "多久算失联（默认 3）", NULL),
};
static const struct command_option device_revoke_options[] = {
    COMMAND_FLAG("--wipe", NULL, "its book and keys are deleted with its next contact",
                 "下次联系时删除其账本和密钥"),
};

/* ------------------------------------------------------------------ commands */

#define HOME(run_) .run = run_, .flags = SERVER_NEEDS_HOME
#define NOTHING .usage = {"", ""}, COMMAND_WORDS(0, 0, NULL)

static const struct command commands[] = {
    {.name = "init",
     .usage = {"[DIR]", "[目录]"},
     HOME(server_cmd_init),
     COMMAND_WORDS(0, 1, "@dir"),
     COMMAND_OPTIONS(init_options),
     .summary = {"make the server's folder, a certificate and the configuration",
                 "建立服务器目录、证书和配置文件"},
     .details = {"Afterwards: roadbook-server org add NAME, user add LOGIN, link LOGIN, serve.\n",
                 "之后依次运行：roadbook-server org add 机构名、user add 登录名、link 登录名、"
                 "serve。\n"}},
    {.name = "serve",
     NOTHING,
     HOME(server_cmd_serve),
     COMMAND_OPTIONS(serve_options),
     .summary = {"serve laptops until stopped", "为各笔记本提供同步服务，直到停止"},
     .details =
         {"Stop it with SIGTERM: what runs is finished first. Logs are lines of key=value on "
          "standard error.\n"
          "The limits may also stand in server.conf. Who meets one is told when to come again "
          "(429, 503, Retry-After),\n"
          "and laptops do so by themselves. What a laptop has proved counts for the laptop, not "
          "for "
          "its address.\n",
          "用 SIGTERM 停止：会先完成正在处理的请求。日志以 key=value 行写到标准错误。\n"
          "各项上限也可写在 server.conf "
          "中。达到上限的客户端会得到稍后重试的时间（429、503、Retry-After），\n"
          "笔记本会自动重试。已通过证明的请求计入该笔记本，不计入其地址。\n"}},
    {.name = "org add",
     .usage = {"NAME", "机构名"},
     HOME(server_cmd_org_add),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(org_options),
     .summary = {"add an org: a company with its own book", "新建机构：一家公司及其账本"}},
    {.name = "org list",
     NOTHING,
     HOME(server_cmd_org_list),
     .summary = {"list the orgs", "列出机构"}},
    {.name = "org scope",
     .usage = {"[open|granted]", "[open|granted]"},
     HOME(server_cmd_org_scope),
     COMMAND_WORDS(0, 1, "open granted"),
     COMMAND_OPTIONS(dry_options),
     .summary = {"who sees what: everyone everything, or by territory and team",
                 "可见范围：全部开放，或按区域与团队授权"},
     .details = {"granted: an account's header is seen in its territory and those above it; all "
                 "the rest of it by its\nmanager, its team, and managers of its territory. What "
                 "one does oneself one sees always, and\nterritories, employees and products "
                 "everyone does.\n",
                 "granted：客户基本信息在其所属区域及上级区域可见；其余内容仅客户经理、团队成员及\n"
                 "该区域的经理可见。本人所写内容始终可见；区域、员工、产品人人可见。\n"}},
    {.name = "org lease",
     .usage = {"[DAYS]", "[天数]"},
     HOME(server_cmd_org_lease),
     COMMAND_WORDS(0, 1, NULL),
     .summary = {"how long edits count that were made before a withdrawal",
                 "撤权前所作修改在多少天内仍有效"}},
    {.name = "org keep-history",
     .usage = {"[DAYS | forever]", "[天数 | forever]"},
     HOME(server_cmd_org_keep_history),
     COMMAND_WORDS(0, 1, "forever"),
     .summary = {"how long history is kept before compacting thins it", "历史在整理前保留的时间"},
     .details =
         {"Of what is older only hashes stay: who did what and when is known, the values "
          "are not. New orgs keep\nall of it for ever. What a laptop may still need is "
          "kept however old it is.\n",
          "更早的内容只保留哈希：仍可知谁在何时做了什么，但不再有具体值。新机构默认永久保留。\n"
          "笔记本可能仍需要的内容无论多旧都会保留。\n"}},
    {.name = "org zone",
     .usage = {"[+08:00]", "[+08:00]"},
     HOME(server_cmd_org_zone),
     COMMAND_WORDS(0, 1, NULL),
     .summary = {"where the org's days begin", "机构日期所用的时区"}},
    {.name = "territory tree",
     NOTHING,
     HOME(server_cmd_territory_tree),
     .summary = {"show the territories", "显示区域树"}},
    {.name = "territory add",
     .usage = {"CODE", "代码"},
     HOME(server_cmd_territory_add),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(territory_add_options),
     .summary = {"add a territory", "新建区域"}},
    {.name = "territory move",
     .usage = {"TERRITORY --under TERRITORY", "区域 --under 上级区域"},
     HOME(server_cmd_territory_move),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(territory_move_options),
     .summary = {"put a territory, with all below it, under another",
                 "将区域（连同其下级）移到另一区域之下"}},
    {.name = "assign",
     .usage = {"ACCOUNT... --to LOGIN", "客户... --to 登录名"},
     HOME(server_cmd_assign),
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(assign_options),
     .summary = {"give accounts to an account manager, now or from a date on",
                 "将客户指派给客户经理，立即或自某日起"}},
    {.name = "handover",
     .usage = {"FROM TO [--on DATE]", "移交人 接收人 [--on 日期]"},
     HOME(server_cmd_handover),
     COMMAND_WORDS(2, 2, NULL),
     COMMAND_OPTIONS(handover_options),
     .summary = {"hand all accounts of one person over to another", "将一人的全部客户过户给另一人"},
     .details =
         {"Both sign on their laptops (roadbook sign); it takes effect on that day, or as "
          "soon as both have signed.\n",
          "双方在各自笔记本上签字（roadbook sign）；在该日生效，若签字较晚则于签齐时生效。\n"}},
    {.name = "dated list",
     NOTHING,
     HOME(server_cmd_dated_list),
     COMMAND_OPTIONS(dated_options),
     .summary = {"assignments and handovers that wait for their day", "列出待生效的指派与过户"}},
    {.name = "dated cancel",
     .usage = {"NO", "编号"},
     HOME(server_cmd_dated_cancel),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"call one of them off", "取消其中一项"}},
    {.name = "team list",
     .usage = {"ACCOUNT", "客户"},
     HOME(server_cmd_team_list),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"who is in the team of an account", "列出客户团队成员"}},
    {.name = "team add",
     .usage = {"ACCOUNT LOGIN", "客户 登录名"},
     HOME(server_cmd_team_add),
     COMMAND_WORDS(2, 2, NULL),
     COMMAND_OPTIONS(team_add_options),
     .summary = {"put a person into the team of an account", "将人员加入客户团队"}},
    {.name = "team remove",
     .usage = {"ACCOUNT LOGIN", "客户 登录名"},
     HOME(server_cmd_team_remove),
     COMMAND_WORDS(2, 2, NULL),
     COMMAND_OPTIONS(dry_options),
     .summary = {"take a person out of the team of an account", "将人员移出客户团队"}},
    {.name = "grants",
     .usage = {"LOGIN", "登录名"},
     HOME(server_cmd_grants),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"what a user sees, since when, and why", "用户可见的范围、起始时间及原因"}},
    SERVER_KEY_COMMANDS,
    {.name = "user add",
     .usage = {"LOGIN", "登录名"},
     HOME(server_cmd_user_add),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(user_options),
     .summary = {"add a user, with an employee in the book", "新建用户及其员工记录"}},
    {.name = "user list",
     NOTHING,
     HOME(server_cmd_user_list),
     .summary = {"list the users", "列出用户"}},
    {.name = "user deactivate",
     .usage = {"LOGIN", "登录名"},
     HOME(server_cmd_user_deactivate),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"shut a user out: none of the user's laptops syncs any more",
                 "停用用户，其所有笔记本不再同步"}},
    {.name = "user activate",
     .usage = {"LOGIN", "登录名"},
     HOME(server_cmd_user_activate),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"let a user in again", "恢复已停用的用户"}},
    {.name = "device list",
     NOTHING,
     HOME(server_cmd_device_list),
     COMMAND_OPTIONS(device_list_options),
     .summary = {"how every laptop is: last contact, how far behind, what it has not sent",
                 "各笔记本的状况：最近联系、落后多少、未发送内容"}},
    {.name = "device show",
     .usage = {"NUMBER", "编号"},
     HOME(server_cmd_device_show),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"all that is known of one laptop", "一台笔记本的全部情况"}},
    {.name = "device revoke",
     .usage = {"NUMBER", "编号"},
     HOME(server_cmd_device_revoke),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(device_revoke_options),
     .summary = {"shut a laptop out for good", "永久停用一台笔记本"},
     .details =
         {"It gets nothing any more. What it has not sent is still taken, into quarantine: "
          "roadbook-server requests.\nWith --wipe it also deletes its book and keys with its "
          "next contact, and says so: device show.\n",
          "该笔记本不再收到任何内容；其未发送的修改仍会收下并转入待审：roadbook-server "
          "requests。\n加 --wipe 时，它在下次联系时还会删除账本和密钥并回报：device show。\n"}},
    {.name = "device lost",
     .usage = {"NUMBER", "编号"},
     HOME(server_cmd_device_lost),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"revoke a lost laptop and wipe it: device revoke --wipe",
                 "停用丢失的笔记本并清除其账本：同 device revoke --wipe"}},
    {.name = "link",
     .usage = {"LOGIN", "登录名"},
     HOME(server_cmd_link),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(link_options),
     .summary = {"make a link that enrols one laptop of a user", "生成供用户登记一台笔记本的链接"},
     .details = {"It works once. Whoever has it gets that user's book: hand it over safely. On the "
                 "laptop:\nroadbook enroll\n",
                 "链接只能使用一次。持有者即可取得该用户的账本，请妥善转交。在笔记本上运行：\n"
                 "roadbook enroll\n"}},
    {.name = "add",
     .usage = {"ENTITY FIELD=VALUE...", "类别 字段=值..."},
     HOME(server_cmd_add),
     COMMAND_WORDS(2, COMMAND_WORDS_MAX, "@entity @assign"),
     .summary = {"add a row, as head office", "以总部身份新建一条记录"}},
    {.name = "set",
     .usage = {"ENTITY ROW FIELD=VALUE...", "类别 记录 字段=值..."},
     HOME(server_cmd_set),
     COMMAND_WORDS(3, COMMAND_WORDS_MAX, "@entity - @assign"),
     .summary = {"edit a row, as head office: tier, owner, targets and all else",
                 "以总部身份修改一条记录：等级、负责人等所有字段"},
     .details = {"Also FIELD+=VALUE and FIELD-=VALUE for counters and sets; FIELD= empties it.\n",
                 "计数与集合可用 字段+=值、字段-=值；字段= 表示清空。\n"}},
    {.name = "rm",
     .usage = {"ENTITY ROW", "类别 记录"},
     HOME(server_cmd_rm),
     COMMAND_WORDS(2, 2, "@entity -"),
     COMMAND_OPTIONS(rm_options),
     .summary = {"delete a row and what belongs to it", "删除一条记录及其下属记录"}},
    {.name = "duplicates",
     .usage = {"", ""},
     HOME(server_cmd_duplicates),
     COMMAND_WORDS(0, 0, NULL),
     COMMAND_OPTIONS(duplicates_options),
     .summary = {"rows that may be the same firm or person", "查找可能重复的客户或联系人"},
     .details =
         {"By registration number, name without its legal form, telephone, e-mail and "
          "address. Traditional\ncharacters count as others than simplified ones; pinyin is "
          "not looked at.\n",
          "依据统一社会信用代码、去掉公司形式后的名称、电话、邮箱和地址。繁体与简体视为不同，"
          "不比较拼音。\n"}},
    {.name = "duplicates dismiss",
     .usage = {"A B", "甲 乙"},
     HOME(server_cmd_duplicates_dismiss),
     COMMAND_WORDS(2, 2, NULL),
     COMMAND_OPTIONS(duplicates_options),
     .summary = {"these two are not the same", "标记两者并非重复"}},
    {.name = "merge",
     .usage = {"LOSER into SURVIVOR", "被并入方 into 保留方"},
     HOME(server_cmd_merge),
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(merge_options),
     .summary = {"make two rows one", "将两条记录合并为一条"},
     .details =
         {"What is the loser's goes to the survivor: its contacts, visits and orders, its "
          "telephones and tags,\nits counts, its remarks. Of a field that holds one value "
          "the survivor's stands, unless it is empty\nor --take says otherwise; the other "
          "goes to the ledger. Edits of the loser that laptops still send\nland on the "
          "survivor.\n",
          "被并入方的联系人、拜访、订单、电话、标签、计数和备注都归保留方。只能有一个值的字段取"
          "保留方的\n（其为空或用 --take 指定时除外），另一方的值记入冲突记录。笔记本之后送来的"
          "对被并入方的修改\n也归保留方。\n"}},
    {.name = "merge list",
     .usage = {"", ""},
     HOME(server_cmd_merge_list),
     COMMAND_WORDS(0, 0, NULL),
     .summary = {"what was merged, newest first", "列出已合并的记录，最近的在前"}},
    {.name = "merge undo",
     .usage = {"LOSER", "被并入方"},
     HOME(server_cmd_merge_undo),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(merge_undo_options),
     .summary = {"make them two again, as far as nobody changed what since",
                 "撤销合并：恢复为两条，合并后改动过的保持不变"},
     .details = {"LOSER is its id, as merge list shows it.\n",
                 "被并入方用其编号表示，见 merge list。\n"}},
    SERVER_FIELD_COMMANDS,
    {.name = "import",
     .usage = {"ENTITY FILE.csv", "类别 文件.csv"},
     HOME(server_cmd_import),
     COMMAND_WORDS(2, 2, "@entity @file"),
     COMMAND_OPTIONS(import_options),
     .summary = {"take rows from a CSV file, as head office", "以总部身份从 CSV 文件导入"},
     .details = {COMMAND_IMPORT_EN, COMMAND_IMPORT_ZH}},
    {.name = "export",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     HOME(server_cmd_export),
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     COMMAND_OPTIONS(export_options),
     .summary = {"write rows as CSV or JSON lines", "导出为 CSV 或 JSON 行"},
     .details = {COMMAND_CONDITIONS_EN, COMMAND_CONDITIONS_ZH}},
    {.name = "list",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     HOME(server_cmd_list),
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     COMMAND_OPTIONS(list_options),
     .summary = {"list rows", "列出记录"},
     .details = {COMMAND_CONDITIONS_EN, COMMAND_CONDITIONS_ZH}},
    {.name = "get",
     .usage = {"ENTITY ROW", "类别 记录"},
     HOME(server_cmd_get),
     COMMAND_WORDS(2, 2, "@entity -"),
     .summary = {"show a row", "显示一条记录"},
     .details = {COMMAND_ROW_EN, COMMAND_ROW_ZH}},
    {.name = "history",
     .usage = {"ENTITY ROW [FIELD]", "类别 记录 [字段]"},
     HOME(server_cmd_history),
     COMMAND_WORDS(2, 3, "@entity - @field"),
     .summary = {"who changed a row, when, and what came of it", "显示一条记录的修改经过"},
     .details = {COMMAND_ROW_EN, COMMAND_ROW_ZH}},
    {.name = "conflicts",
     NOTHING,
     HOME(server_cmd_conflicts),
     COMMAND_OPTIONS(conflict_options),
     .summary = {"every value that gave way to another", "所有未被采用的值"}},
    {.name = "late",
     NOTHING,
     HOME(server_cmd_late),
     COMMAND_OPTIONS(conflict_options),
     .summary = {"edits that came in after their author's access had ended",
                 "作者权限结束后才送达、仍被接受的修改"}},
    {.name = "requests",
     NOTHING,
     HOME(server_cmd_requests),
     COMMAND_OPTIONS(request_options),
     .summary = {"change requests and refused edits", "变更申请与被拒绝的修改"}},
    {.name = "requests approve",
     .usage = {"NUMBER", "编号"},
     HOME(server_cmd_approve),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"write the edit that was asked for", "批准申请，写入所请求的修改"}},
    {.name = "requests decline",
     .usage = {"NUMBER", "编号"},
     HOME(server_cmd_decline),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"close a request without writing it", "不批准申请"}},
    {.name = "status",
     NOTHING,
     HOME(server_cmd_status),
     .summary = {"figures of each org", "各机构概况"}},
    {.name = "backup",
     .usage = {"FILE", "文件"},
     HOME(server_cmd_backup),
     COMMAND_WORDS(1, 1, "@file"),
     .summary = {"copy an org's book to a new file while it is in use",
                 "将机构账本在线备份到新文件"}},
    {.name = "copy start",
     .usage = {"DIR", "目录"},
     HOME(server_cmd_copy_start),
     COMMAND_WORDS(1, 1, "@dir"),
     .summary = {"copy each commit to a folder, best on another disk, before anyone is answered",
                 "将每次提交先复制到目录（最好在另一磁盘），然后才答复"}},
    {.name = "copy stop",
     NOTHING,
     HOME(server_cmd_copy_stop),
     .summary = {"stop copying", "停止复制"}},
    {.name = "copy status",
     NOTHING,
     HOME(server_cmd_copy_status),
     .summary = {"where commits are copied to", "显示复制目录"}},
    {.name = "copy read",
     .usage = {"DIR FILE", "目录 文件"},
     HOME(server_cmd_copy_read),
     COMMAND_WORDS(2, 2, "@dir @file"),
     COMMAND_OPTIONS(copy_options),
     .summary = {"make a book from the copy, as it was at a time", "由副本生成某一时刻的账本"},
     .details = {"Then: roadbook-server restore FILE. The copy holds all that the book holds, but "
                 "the files of\nattachments.\n",
                 "之后运行：roadbook-server restore 文件。副本包含账本全部内容，附件文件除外。\n"}},
    {.name = "restore",
     .usage = {"FILE", "文件"},
     HOME(server_cmd_restore),
     COMMAND_WORDS(1, 1, "@file"),
     .summary = {"put a backup in the place of an org's book; the server is stopped",
                 "用备份替换机构账本（须先停止服务器）"},
     .details =
         {"What stood there is kept beside it. Laptops that know more give it back when "
          "they sync: start\nthe server, look with recovery status, and end it with "
          "recovery end when all who live were here.\n"
          "Laptops that were revoked or lost since, and users deactivated, stay so.\n",
          "原文件保留在旁边。笔记本同步时会交还备份所缺的内容：启动服务器，用 recovery status "
          "查看，\n待所有在用的笔记本都已联系后，用 recovery end 结束恢复。\n"
          "其间停用或报失的笔记本、停用的用户仍保持停用。\n"}},
    {.name = "recovery status", NOTHING, HOME(server_cmd_recovery_status),
     .summary = {"who has given back what was forgotten", "哪些笔记本已交还所缺的内容"}},
    {.name = "recovery begin", NOTHING, HOME(server_cmd_recovery_begin),
     .summary = {"say that it went back: no laptop can prove it", "声明数据已回退（无法证明时）"}},
    {.name = "recovery facts", NOTHING, HOME(server_cmd_recovery_facts),
     .summary = {"what laptops know that nobody gave back", "笔记本上无人交还的内容"}},
    {.name = "recovery accept", .usage = {"[LAPTOP]", "[笔记本编号]"},
     HOME(server_cmd_recovery_accept), COMMAND_WORDS(0, 1, ""),
     .summary = {"take it as head office's edits where nothing is newer", "作为总部的修改采用"},
     .details = {"What only a revoked laptop says is taken when its number is given.\n",
                 "仅已停用的笔记本所记录的内容，须给出其编号才会采用。\n"}},
    {.name = "recovery reject", .usage = {"[LAPTOP]", "[笔记本编号]"},
     HOME(server_cmd_recovery_reject), COMMAND_WORDS(0, 1, ""),
     .summary = {"do not take it", "不予采用"}},
    {.name = "recovery end", NOTHING, HOME(server_cmd_recovery_end),
     COMMAND_OPTIONS(recovery_end_options),
     .summary = {"all have given back: what still waits is decided", "均已交还：处理仍在等待的修改"}},
    {.name = "bundle import",
     .usage = {"FILE ANSWER", "文件 应答文件"},
     HOME(server_cmd_bundle_import),
     COMMAND_WORDS(2, 2, "@file @file"),
     .summary = {"take a laptop's file from a stick, and write the answer for it",
                 "导入笔记本用 U 盘带来的文件，并写出应答文件"},
     .details = {"The laptop writes FILE with roadbook bundle export and takes ANSWER in with "
                 "roadbook bundle\nimport. The same file twice does no harm: nothing is taken "
                 "twice.\n",
                 "笔记本用 roadbook bundle export 写出文件，用 roadbook bundle import 导入应答。\n"
                 "同一文件重复导入无妨：不会重复采用。\n"}},
    {.name = "compact",
     NOTHING,
     HOME(server_cmd_compact),
     COMMAND_OPTIONS(compact_options),
     .summary = {"let go of what no laptop needs any more; the server goes on meanwhile",
                 "清理笔记本不再需要的内容，服务器照常运行"},
     .details = {"Deleted rows leave the book when every laptop that was here within the lease "
                 "knows of it; an edit that\ncomes later waits for head office, whose `approve` "
                 "brings the row back. Old texts, and history beyond\n`org keep-history`, go too. "
                 "`serve` does it every night. The file keeps its size; what is free in it\nis "
                 "used again.\n",
                 "租期内联系过的笔记本均已知晓的删除将被清理；之后到达的修改由总部处理，`approve` "
                 "可恢复该记录。\n旧文本版本和超出 `org keep-history` 的历史一并清理。`serve` "
                 "每晚自动执行。\n文件大小不变，空出的部分会被重新利用。\n"}},
    {.name = "erase",
     .usage = {"CONTACT --why TEXT", "联系人 --why 原因"},
     HOME(server_cmd_erase),
     COMMAND_WORDS(1, 1, NULL),
     COMMAND_OPTIONS(erase_options),
     .summary = {"erase a person's data from the book and from its history",
                 "从账本及其历史中清除一个人的个人信息"}},
    {.name = "verify",
     NOTHING,
     HOME(server_cmd_verify),
     .summary = {"check that every book is whole and consistent", "检查各账本是否完整一致"}},
    {.name = "attachments status",
     NOTHING,
     HOME(server_cmd_content_status),
     .summary = {"what the files of attachments take", "附件文件占用情况"}},
    {.name = "attachments list",
     NOTHING,
     HOME(server_cmd_content_list),
     COMMAND_OPTIONS(content_list_options),
     .summary = {"the attachments, and where their files are", "附件及其文件所在位置"}},
    {.name = "attachments gc",
     NOTHING,
     HOME(server_cmd_content_gc),
     COMMAND_OPTIONS(content_gc_options),
     .summary = {"remove files that no row needs any more", "清理不再需要的附件文件"}},
    {.name = "attachments limits",
     NOTHING,
     HOME(server_cmd_content_limits),
     COMMAND_OPTIONS(content_limit_options),
     .summary = {"show, or set, how much there may be", "显示或设置附件容量限制"}},
    {.name = "sql",
     .usage = {"\"SELECT ...\"", "\"SELECT ...\""},
     HOME(server_cmd_sql),
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"ask an org's book in SQL, read-only", "用 SQL 查询机构账本（只读）"}},
    {.name = "completion",
     .usage = {"bash", "bash"},
     .run = server_cmd_completion,
     COMMAND_WORDS(1, 1, "bash"),
     .summary = {"a script that lets bash complete commands", "供 bash 补全命令的脚本"},
     .details = {"Put it to use with: source <(roadbook-server completion bash)\n",
                 "启用：source <(roadbook-server completion bash)\n"}},
    {.name = "help",
     .usage = {"[COMMAND]", "[命令]"},
     .run = server_cmd_help,
     COMMAND_WORDS(0, 2, "@command"),
     .summary = {"show help", "显示帮助"}},
    {.name = "version",
     NOTHING, .run = server_cmd_version,
     .summary = {"show the version", "显示版本"}},
};

const struct command_set server_commands = {
    .program = "roadbook-server",
    .about = {"roadbook-server: the centre of a key-account book for people who travel.",
              "roadbook-server：大客户经理随身账本的中心服务器。"},
    .commands = commands,
    .count = ARRAY_COUNT(commands),
    .options = every,
    .option_count = ARRAY_COUNT(every),
};
