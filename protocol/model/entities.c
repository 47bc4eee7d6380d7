/* The book: every entity and field of this release, once. Everything else is derived from here.
 *
 * To add a field: one line at the end of its entity's list, with the next tag. Tags are for ever: never
 * reuse or reorder one, never change its type or rule. Fields of one group are neighbours and one cell.
 * SQL of derived fields names tables r_<entity>; the row itself is r.
 */
#include "protocol/model/catalogue.h"

#define FIELD(tag_, name_, type_, rule_, ...) \
    {.tag = (tag_), .name = #name_, .type = FIELD_##type_, .rule = RULE_##rule_, __VA_ARGS__}
#define LABEL(en, zh) .label = {en, zh}
#define VALUE(number_, name_, en, zh) {.number = (number_), .name = name_, .label = {en, zh}}
#define ENUMERATION(name_, values_) \
    static const struct enumeration name_ = {.name = #name_, .values = values_, .count = ARRAY_COUNT(values_)}
#define ENUMERATION_STEPS(name_, values_, illegal_)                                                    \
    static const struct enumeration name_ = {.name = #name_, .values = values_,                        \
                                             .count = ARRAY_COUNT(values_), .illegal = illegal_,       \
                                             .illegal_count = ARRAY_COUNT(illegal_)}
/* The program itself goes by these values: head office adds none. */
#define ENUMERATION_CLOSED(name_, values_)                                                             \
    static const struct enumeration name_ = {.name = #name_, .values = values_,                        \
                                             .count = ARRAY_COUNT(values_), .closed = true}
#define FIELDS(list) .fields = list, .field_count = ARRAY_COUNT(list)

/* ------------------------------------------------------------------ enumerations (of states: in order of precedence) */

static const struct enum_value ROLES[] = {
    VALUE(1, "rep", "Sales rep", "销售代表"),
    VALUE(2, "inside", "Inside sales", "内部销售"),
    VALUE(3, "manager", "Manager", "经理"),
    VALUE(4, "office", "Head office", "总部"),
    VALUE(5, "service", "Customer service", "客户服务"),
    VALUE(6, "technical", "Technical engineer", "技术工程师"),
    VALUE(7, "executive", "Executive sponsor", "对口高层"),
    VALUE(8, "finance", "Finance expert", "财务专家"),
    VALUE(9, "legal", "Legal adviser", "法律顾问"),
    VALUE(10, "research", "Market researcher", "市场调查专员"),
};
ENUMERATION(employee_role, ROLES);

static const struct enum_value PARTY_ROLES[] = {
    VALUE(1, "customer", "Customer", "客户"),
    VALUE(2, "supplier", "Supplier", "供应商"),
    VALUE(3, "dealer", "Dealer", "经销商"),
};
ENUMERATION(party_role, PARTY_ROLES);

static const struct enum_value ACCOUNT_KINDS[] = {
    VALUE(1, "government", "Government", "政府机构"),
    VALUE(2, "large", "Large enterprise", "大型企业"),
    VALUE(3, "listed", "Listed company", "上市公司"),
    VALUE(4, "small", "Small or medium enterprise", "中小企业"),
    VALUE(5, "institution", "Public institution", "事业单位"),
    VALUE(6, "other", "Other", "其他"),
};
ENUMERATION(account_kind, ACCOUNT_KINDS);

static const struct enum_value TIERS[] = {
    VALUE(1, "candidate", "Candidate", "候选客户"),
    VALUE(2, "ordinary", "Ordinary key account", "普通大客户"),
    VALUE(3, "partner", "Partner key account", "伙伴式大客户"),
    VALUE(4, "strategic", "Strategic key account", "战略性大客户"),
};
ENUMERATION(account_tier, TIERS);

static const struct enum_value SETTLEMENTS[] = {
    VALUE(1, "direct", "Supplied directly", "直供用户"),
    VALUE(2, "dealer", "Through a dealer", "经销商供货"),
};
ENUMERATION(settlement_kind, SETTLEMENTS);

static const struct enum_value ACCOUNT_STATES[] = {
    VALUE(1, "prospect", "Prospect", "潜在"),
    VALUE(2, "active", "Active", "合作中"),
    VALUE(3, "dormant", "Dormant", "休眠"),
    VALUE(4, "lost", "Lost", "流失"),
    VALUE(5, "closed", "Closed down", "已注销"),
};
static const uint32_t ACCOUNT_ILLEGAL[][2] = {{4, 5}, {5, 4}};
ENUMERATION_STEPS(account_state, ACCOUNT_STATES, ACCOUNT_ILLEGAL);

static const struct enum_value CONTACT_LEVELS[] = {
    VALUE(1, "buyer", "Buyer", "采购员"),
    VALUE(2, "purchasing_manager", "Purchasing manager", "采购经理"),
    VALUE(3, "purchasing_director", "Purchasing director", "采购总监"),
    VALUE(4, "finance_director", "Finance director", "财务总监"),
    VALUE(5, "sales_manager", "Sales manager", "销售经理"),
    VALUE(6, "delivery_manager", "Delivery manager", "配送经理"),
    VALUE(7, "general_manager", "General manager", "总经理"),
    VALUE(8, "chairman", "Chairman", "董事长"),
};
ENUMERATION(contact_level, CONTACT_LEVELS);

static const struct enum_value AUTHORITIES[] = {
    VALUE(1, "approve", "Approves", "批准"),
    VALUE(2, "recommend", "Recommends", "推荐"),
    VALUE(3, "use", "Uses", "使用"),
    VALUE(4, "block", "Can block", "可否决"),
};
ENUMERATION(contact_authority, AUTHORITIES);

static const struct enum_value CONTACT_STATES[] = {
    VALUE(1, "active", "In office", "在职"),
    VALUE(2, "left", "Left", "已离职"),
};
ENUMERATION(contact_state, CONTACT_STATES);

static const struct enum_value VISIT_TYPES[] = {
    VALUE(1, "routine", "Routine visit", "例行拜访"),
    VALUE(2, "first", "First visit", "首次拜访"),
    VALUE(3, "negotiation", "Negotiation", "商务谈判"),
    VALUE(4, "service", "Service", "售后服务"),
    VALUE(5, "executive", "Executive visit", "高层拜访"),
    VALUE(6, "inspection", "Inspection", "检查"),
    VALUE(7, "collection", "Collection of payment", "催收货款"),
    VALUE(8, "other", "Other", "其他"),
};
ENUMERATION(visit_type, VISIT_TYPES);

static const struct enum_value METHODS[] = {
    VALUE(1, "in_person", "In person", "面谈"),
    VALUE(2, "phone", "Phone", "电话"),
    VALUE(3, "video", "Video", "视频"),
};
ENUMERATION(contact_method, METHODS);

static const struct enum_value VISIT_STATES[] = {
    VALUE(1, "draft", "Draft", "草稿"),
    VALUE(2, "submitted", "Submitted", "已提交"),
};
ENUMERATION(visit_state, VISIT_STATES);
enum { VISIT_SUBMITTED = 2 };

static const struct enum_value PARTICIPANT_ROLES[] = {
    VALUE(1, "host", "Host", "接待人"),
    VALUE(2, "decider", "Decider", "决策人"),
    VALUE(3, "expert", "Expert", "专家"),
    VALUE(4, "companion", "Companion", "陪同"),
};
ENUMERATION(participant_role, PARTICIPANT_ROLES);

static const struct enum_value FOLLOWUP_STATES[] = {
    VALUE(1, "open", "Open", "待回访"),
    VALUE(2, "moved", "Moved", "已改期"),
    VALUE(3, "cancelled", "Cancelled", "已取消"),
    VALUE(4, "done", "Done", "已完成"),
};
ENUMERATION(followup_state, FOLLOWUP_STATES);

static const struct enum_value TASK_STATES[] = {
    VALUE(1, "open", "Open", "待办"),
    VALUE(2, "doing", "Doing", "进行中"),
    VALUE(3, "cancelled", "Cancelled", "已取消"),
    VALUE(4, "done", "Done", "已完成"),
};
ENUMERATION(task_state, TASK_STATES);

static const struct enum_value PRIORITIES[] = {
    VALUE(1, "low", "Low", "低"),
    VALUE(2, "normal", "Normal", "普通"),
    VALUE(3, "high", "High", "高"),
    VALUE(4, "urgent", "Urgent", "紧急"),
};
ENUMERATION(task_priority, PRIORITIES);

static const struct enum_value STAGES[] = {
    VALUE(1, "prospecting", "Prospecting", "寻找"),
    VALUE(2, "engaging", "Engaging", "接洽"),
    VALUE(3, "proposal", "Proposal", "方案"),
    VALUE(4, "negotiation", "Negotiation", "谈判"),
    VALUE(5, "lost", "Lost", "战败"),
    VALUE(6, "won", "Won", "成交"),
};
static const uint32_t STAGES_ILLEGAL[][2] = {{5, 6}, {6, 5}};
ENUMERATION_STEPS(opportunity_stage, STAGES, STAGES_ILLEGAL);

static const struct enum_value ATTACHMENT_KINDS[] = {
    VALUE(1, "photo", "Photo", "照片"),
    VALUE(2, "recording", "Recording", "录音"),
    VALUE(3, "signature", "Signature", "签名"),
    VALUE(4, "file", "File", "文件"),
};
ENUMERATION_CLOSED(attachment_kind, ATTACHMENT_KINDS);

static const struct enum_value TEAM_ROLES[] = {
    VALUE(1, "manager", "Account manager", "客户经理"),
    VALUE(2, "inside", "Inside sales", "内部销售"),
    VALUE(3, "technical", "Technical engineer", "技术工程师"),
    VALUE(4, "service", "Customer service", "客户服务"),
    VALUE(5, "finance", "Finance expert", "财务专家"),
    VALUE(6, "legal", "Legal adviser", "法律顾问"),
    VALUE(7, "executive", "Executive sponsor", "对口高层"),
    VALUE(8, "substitute", "Substitute", "代班"),
};
ENUMERATION(team_role, TEAM_ROLES);

static const struct enum_value HANDOVER_STATES[] = {
    VALUE(1, "ordered", "Ordered", "已下达"),
    VALUE(2, "cancelled", "Cancelled", "已取消"),
    VALUE(3, "done", "Done", "已完成"),
};
ENUMERATION_CLOSED(handover_state, HANDOVER_STATES);

/* ------------------------------------------------------------------ fields */

static const struct field TERRITORY[] = {
    FIELD(1, code, TEXT, OFFICE, LABEL("Code", "代码"), .required = true, .max = 40, .search = 6, .also = "Territory code,区域代码"),
    FIELD(2, name, TEXT, OFFICE, LABEL("Name", "名称"), .required = true, .search = 8, .also = "Territory,Region,区域,大区"),
    FIELD(3, parent, REF, OFFICE, LABEL("Parent territory", "上级区域"), .refers_to = "territory"),
    FIELD(4, industries, SET, OFFICE, LABEL("Industries", "行业"), .set_of = FIELD_TEXT, .search = 2),
};

static const struct field EMPLOYEE[] = {
    FIELD(1, login, TEXT, OFFICE, LABEL("Login", "登录名"), .required = true, .max = 64, .search = 4, .also = "User,用户,工号"),
    FIELD(2, name, TEXT, OFFICE, LABEL("Name", "姓名"), .required = true, .search = 8, .also = "Employee,Sales rep,Salesperson,员工,业务员"),
    FIELD(3, roles, SET, OFFICE, LABEL("Roles", "角色"), .set_of = FIELD_ENUM, .values = &employee_role),
    FIELD(4, territory, REF, OFFICE, LABEL("Territory", "区域"), .refers_to = "territory"),
    FIELD(5, partner, REF, OFFICE, LABEL("Inside or outside partner", "内外搭档"), .refers_to = "employee"),
    FIELD(6, active, BOOL, OFFICE, LABEL("Active", "在岗")),
    FIELD(7, phone, TEXT, OWNER, LABEL("Phone", "电话"), .max = 40, .personal = true, .search = 3),
    FIELD(8, title, TEXT, OFFICE, LABEL("Job title", "职务"), .max = 100, .also = "Position,职位"),
};

static const struct field PRODUCT[] = {
    FIELD(1, sku, TEXT, OFFICE, LABEL("Item number", "货号"), .required = true, .max = 64, .search = 6, .also = "SKU,StockCode,Product ID,产品编号,商品编号"),
    FIELD(2, name, TEXT, OFFICE, LABEL("Name", "名称"), .required = true, .search = 8, .also = "Product,Description,产品,产品名称,商品名称"),
    FIELD(3, line, TEXT, OFFICE, LABEL("Product line", "产品线"), .max = 100, .search = 3, .also = "Series,Category,系列,类别"),
    FIELD(4, unit, TEXT, OFFICE, LABEL("Unit", "单位"), .max = 20),
    FIELD(5, list_price, MONEY, OFFICE, LABEL("List price", "标价"), .group = "price", .max = INT64_MAX, .also = "Price,Sales price,单价,价格"),
    FIELD(6, currency, TEXT, OFFICE, LABEL("Currency", "币种"), .group = "price", .max = 3),
    FIELD(7, active, BOOL, OFFICE, LABEL("On sale", "在售")),
};

static const struct field ACCOUNT[] = {
    FIELD(1, name, TEXT, LAST, LABEL("Account name", "客户名称"), .required = true, .search = 10, .also = "Account,Customer,Company,Name,Facility,客户,公司名称,公司,名称,企业名称"),
    FIELD(2, short_name, TEXT, LAST, LABEL("Short name", "简称"), .max = 80, .search = 9, .also = "Abbreviation,客户简称,公司简称,证券简称"),
    FIELD(3, registration_no, TEXT, OFFICE, LABEL("Registration number", "统一社会信用代码"), .max = 40, .search = 5, .also = "Tax number,VAT number,税号,注册号,信用代码"),
    FIELD(4, party_roles, SET, SET, LABEL("Roles", "往来角色"), .set_of = FIELD_ENUM, .values = &party_role),
    FIELD(5, kind, ENUM, LAST, LABEL("Kind", "客户性质"), .values = &account_kind, .also = "Type,Account type,客户类型,企业性质"),
    FIELD(6, industry, TEXT, LAST, LABEL("Industry", "行业"), .max = 80, .search = 3, .also = "Sector,所属行业,行业分类"),
    FIELD(7, province, TEXT, LAST, LABEL("Province", "省份"), .group = "address", .max = 60, .search = 2, .also = "State,State-Province,省,省市"),
    FIELD(8, city, TEXT, LAST, LABEL("City", "城市"), .group = "address", .max = 60, .search = 3, .also = "Town,市,所在城市"),
    FIELD(9, street, TEXT, LAST, LABEL("Street", "街道地址"), .group = "address", .search = 2, .also = "Address,Address line 1,地址,办公地址,注册地址"),
    FIELD(10, postcode, TEXT, LAST, LABEL("Postcode", "邮编"), .group = "address", .max = 20, .also = "Postal code,ZIP,邮政编码"),
    FIELD(11, parent, REF, LAST, LABEL("Parent account", "上级客户"), .refers_to = "account", .also = "Subsidiary of,母公司,上级公司"),
    FIELD(12, phones, SET, SET, LABEL("Phones", "电话"), .set_of = FIELD_TEXT, .search = 6, .also = "Phone,Telephone,联系电话,公司电话"),
    FIELD(13, emails, SET, SET, LABEL("E-mails", "电子邮箱"), .set_of = FIELD_TEXT, .search = 4, .also = "Email,E-mail,邮箱,电邮"),
    FIELD(14, tags, SET, SET, LABEL("Tags", "标签"), .set_of = FIELD_TEXT, .search = 5, .also = "Labels,Keywords,关键词"),
    FIELD(15, website, TEXT, LAST, LABEL("Website", "网站"), .also = "URL,Web site,公司网址,网址,官网"),
    FIELD(16, territory, REF, OFFICE, LABEL("Territory", "区域"), .refers_to = "territory", .also = "Region,大区,所属区域"),
    FIELD(17, owner, REF, OFFICE, LABEL("Account manager", "客户经理"), .refers_to = "employee", .also = "Owner,Sales agent,Sales rep,负责人,业务员"),
    FIELD(18, tier, ENUM, OFFICE, LABEL("Tier", "客户等级"), .values = &account_tier, .also = "Grade,Level,等级,级别"),
    FIELD(19, credit_limit, MONEY, OFFICE, LABEL("Credit limit", "信用额度"), .group = "credit", .max = INT64_MAX),
    FIELD(20, credit_currency, TEXT, OFFICE, LABEL("Currency of the credit limit", "信用额度币种"), .group = "credit", .max = 3),
    FIELD(21, settlement, ENUM, LAST, LABEL("Settlement", "结算方式"), .values = &settlement_kind),
    FIELD(22, status, ENUM, STATE, LABEL("Status", "客户状态"), .values = &account_state),
    FIELD(23, last_contact_on, DATE, MAX, LABEL("Last contact", "最近联系"), .also = "Last contacted,最近联系日期"),
    FIELD(24, first_order_on, DATE, MIN, LABEL("First order", "首单日期"), .also = "First order date,Year opened,首次成交日期"),
    FIELD(25, points, INT, COUNTER, LABEL("Loyalty points", "积分"), .unit = "分"),
    FIELD(26, employees, INT, LAST, LABEL("Employees", "员工人数"), .max = 100000000, .also = "Number of employees,Headcount,人数,员工数"),
    FIELD(27, annual_revenue, MONEY, LAST, LABEL("Annual revenue", "年销售额"), .group = "revenue", .max = INT64_MAX, .also = "Revenue,Annual sales,营业收入,年营业额"),
    FIELD(28, revenue_currency, TEXT, LAST, LABEL("Currency of the revenue", "销售额币种"), .group = "revenue", .max = 3),
    FIELD(29, founded_on, DATE, LAST, LABEL("Founded", "成立日期"), .also = "Year established,Founded on,注册日期,成立时间"),
    FIELD(30, remarks, NOTE, TEXT, LABEL("Remarks", "备注"), .search = 2, .also = "Notes,Comments,Description,说明,简介"),
    FIELD(31, external_no, TEXT, LAST, LABEL("Number in another system", "外部编号"), .max = 64, .search = 5, .also = "Customer ID,Account number,External ID,客户编号,客户代码,股票代码,证券代码"),
    FIELD(32, country, TEXT, LAST, LABEL("Country", "国家"), .max = 60, .also = "Office location,Country-Region,国家地区"),
    FIELD(33, open_opportunities, INT, DERIVED, LABEL("Open opportunities", "在谈商机数"), .derive = "(SELECT count(*) FROM r_opportunity o WHERE o.account = r.id AND (o.stage IS NULL OR o.stage < 5))"),
    FIELD(34, last_visit_on, DATE, DERIVED, LABEL("Last visit", "最近拜访"), .derive = "(SELECT max(v.business_date) FROM r_visit v WHERE v.account = r.id)"),
};

static const struct field CONTACT[] = {
    FIELD(1, account, REF, LAST, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Company,Customer,公司,客户名称"),
    FIELD(2, name, TEXT, LAST, LABEL("Name", "姓名"), .required = true, .personal = true, .search = 10, .also = "Contact,Full name,联系人,联系人姓名"),
    FIELD(3, title, TEXT, LAST, LABEL("Job title", "职务"), .max = 100, .search = 3, .also = "Position,Title,职位"),
    FIELD(4, level, ENUM, LAST, LABEL("Level", "职级"), .values = &contact_level),
    FIELD(5, authority, ENUM, LAST, LABEL("Authority", "权限"), .values = &contact_authority),
    FIELD(6, phones, SET, SET, LABEL("Phones", "电话"), .set_of = FIELD_TEXT, .personal = true, .search = 8, .also = "Phone,Mobile,Telephone,手机,联系电话"),
    FIELD(7, emails, SET, SET, LABEL("E-mails", "电子邮箱"), .set_of = FIELD_TEXT, .personal = true, .search = 5, .also = "Email,E-mail,邮箱,电邮"),
    FIELD(8, wechat, SET, SET, LABEL("WeChat", "微信"), .set_of = FIELD_TEXT, .personal = true, .search = 5, .also = "WeChat ID,微信号"),
    FIELD(9, active, ENUM, STATE, LABEL("State", "在职状态"), .values = &contact_state),
    FIELD(10, notes, NOTE, TEXT, LABEL("Notes", "备注"), .search = 2, .also = "Remarks,Comments,说明"),
    FIELD(11, traits, NOTE, TEXT, LABEL("Personal traits", "个人特点"), .personal = true, .max = 2000, .also = "Traits,特点"),
    FIELD(12, birthday, DATE, LAST, LABEL("Birthday", "生日"), .personal = true, .also = "Date of birth,出生日期"),
    FIELD(13, external_no, TEXT, LAST, LABEL("Number in another system", "外部编号"), .max = 64, .search = 3),
};

static const struct field VISIT[] = {
    FIELD(1, account, REF, FROZEN, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Customer,客户名称"),
    FIELD(2, contact, REF, FROZEN, LABEL("Contact", "联系人"), .refers_to = "contact"),
    FIELD(3, author, REF, FROZEN, LABEL("Author", "拜访人"), .refers_to = "employee", .also = "Visited by,Inspected by,业务员"),
    FIELD(4, type, ENUM, FROZEN, LABEL("Type", "拜访类型"), .values = &visit_type, .also = "Visit type,Inspection type"),
    FIELD(5, started_at, TIME, FROZEN, LABEL("Started", "开始时间"), .group = "period", .also = "Start,Start time,签到时间"),
    FIELD(6, ended_at, TIME, FROZEN, LABEL("Ended", "结束时间"), .group = "period", .also = "End,End time,签退时间"),
    FIELD(7, place, TEXT, FROZEN, LABEL("Place", "地点"), .search = 2, .also = "Location,拜访地点"),
    FIELD(8, lat, DECIMAL, FROZEN, LABEL("Latitude", "纬度"), .group = "position", .scale = 7, .min = -900000000, .max = 900000000, .unit = "°"),
    FIELD(9, lon, DECIMAL, FROZEN, LABEL("Longitude", "经度"), .group = "position", .scale = 7, .min = -1800000000, .max = 1800000000, .unit = "°"),
    FIELD(10, accuracy_m, INT, FROZEN, LABEL("Accuracy of the position", "定位精度"), .group = "position", .max = 100000, .unit = "m"),
    FIELD(11, method, ENUM, FROZEN, LABEL("Method", "方式"), .values = &contact_method, .also = "拜访方式"),
    FIELD(12, face_to_face, BOOL, FROZEN, LABEL("Face to face", "是否面对面")),
    FIELD(13, score, DECIMAL, FROZEN, LABEL("Score", "评分"), .scale = 1, .max = 1000, .also = "Rating,得分"),
    FIELD(14, talking_points, NOTE, FROZEN, LABEL("Talking points", "主要谈话要点"), .search = 3, .also = "Description,Notes,谈话要点"),
    FIELD(15, customer_ideas, NOTE, FROZEN, LABEL("Customer's ideas", "客户的想法"), .search = 3, .also = "客户想法"),
    FIELD(16, advice_next, NOTE, FROZEN, LABEL("Advice for the next step", "进一步发展建议"), .search = 3, .also = "Next step,下一步"),
    FIELD(17, result, TEXT, FROZEN, LABEL("Result", "结果"), .search = 2, .also = "Outcome,拜访结果"),
    FIELD(18, business_date, DATE, FROZEN, LABEL("Date of the visit", "拜访日期"), .also = "Date,Visit date,Inspection date,日期"),
    FIELD(19, state, ENUM, STATE, LABEL("State", "状态"), .values = &visit_state),
    FIELD(20, duration_min, INT, DERIVED, LABEL("Duration", "时长"), .unit = "min", .derive = "((r.ended_at - r.started_at) / 60000)"),
    FIELD(21, followup_due, DATE, DERIVED, LABEL("Follow-up due", "回访期限"), .derive = "(r.business_date + 7)"),
};

static const struct field VISIT_PARTICIPANT[] = {
    FIELD(1, visit, REF, APPEND, LABEL("Visit", "拜访"), .required = true, .owns = true, .refers_to = "visit"),
    FIELD(2, contact, REF, APPEND, LABEL("Contact", "联系人"), .refers_to = "contact"),
    FIELD(3, employee, REF, APPEND, LABEL("Employee", "员工"), .refers_to = "employee"),
    FIELD(4, role, ENUM, LAST, LABEL("Role", "角色"), .values = &participant_role),
};

static const struct field FOLLOWUP[] = {
    FIELD(1, visit, REF, APPEND, LABEL("Visit", "拜访"), .required = true, .owns = true, .refers_to = "visit"),
    FIELD(2, account, REF, APPEND, LABEL("Account", "客户"), .refers_to = "account"),
    FIELD(3, due_on, DATE, LAST, LABEL("Due", "期限"), .also = "Due date,回访期限"),
    FIELD(4, method, ENUM, LAST, LABEL("Method", "方式"), .values = &contact_method, .also = "回访方式"),
    FIELD(5, done_on, DATE, MIN, LABEL("Done", "完成日期"), .also = "Done on,回访日期"),
    FIELD(6, opinion, NOTE, TEXT, LABEL("Customer's opinion", "客户意见"), .search = 3, .also = "Feedback,客户反馈"),
    FIELD(7, state, ENUM, STATE, LABEL("State", "状态"), .values = &followup_state),
};

static const struct field TASK[] = {
    FIELD(1, title, TEXT, LAST, LABEL("Title", "标题"), .required = true, .search = 8, .also = "Task,Subject,任务,主题"),
    FIELD(2, account, REF, LAST, LABEL("Account", "客户"), .refers_to = "account"),
    FIELD(3, owner, REF, LAST, LABEL("Owner", "负责人"), .refers_to = "employee", .also = "Assigned to,执行人"),
    FIELD(4, due_on, DATE, LAST, LABEL("Due", "期限"), .also = "Due date,截止日期"),
    FIELD(5, priority, ENUM, LAST, LABEL("Priority", "优先级"), .values = &task_priority),
    FIELD(6, checklist, SET, SET, LABEL("Checklist", "检查清单"), .set_of = FIELD_TEXT, .search = 2),
    FIELD(7, done_items, SET, SET, LABEL("Done items", "已完成项"), .set_of = FIELD_TEXT),
    FIELD(8, body, NOTE, TEXT, LABEL("Text", "内容"), .search = 2, .also = "Description,描述"),
    FIELD(9, state, ENUM, STATE, LABEL("State", "状态"), .values = &task_state),
};

static const struct field OPPORTUNITY[] = {
    FIELD(1, account, REF, LAST, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Customer,客户名称"),
    FIELD(2, name, TEXT, LAST, LABEL("Name", "商机名称"), .required = true, .search = 8, .also = "Opportunity,商机,项目名称"),
    FIELD(3, amount, MONEY, LAST, LABEL("Amount", "金额"), .group = "amount", .max = INT64_MAX, .also = "Close value,Value,预计金额"),
    FIELD(4, currency, TEXT, LAST, LABEL("Currency", "币种"), .group = "amount", .max = 3),
    FIELD(5, close_on, DATE, LAST, LABEL("Expected close", "预计成交日期"), .also = "Close date,成交日期"),
    FIELD(6, stage, ENUM, STATE, LABEL("Stage", "阶段"), .values = &opportunity_stage, .also = "Deal stage,商机阶段"),
    FIELD(7, probability, INT, LAST, LABEL("Probability", "成交概率"), .max = 100, .unit = "%"),
    FIELD(8, owner, REF, OFFICE, LABEL("Owner", "负责人"), .refers_to = "employee", .also = "Sales agent,业务员"),
    FIELD(9, product, REF, LAST, LABEL("Product", "产品"), .refers_to = "product"),
    FIELD(10, competitors, SET, SET, LABEL("Competitors", "竞争对手"), .set_of = FIELD_TEXT, .search = 3),
    FIELD(11, next_step, NOTE, TEXT, LABEL("Next step", "下一步"), .search = 2),
    FIELD(12, external_no, TEXT, LAST, LABEL("Number in another system", "外部编号"), .max = 64, .search = 5, .also = "Opportunity ID,商机编号"),
    FIELD(13, engaged_on, DATE, LAST, LABEL("Engaged since", "接洽日期"), .also = "Engage date,立项日期"),
};

static const struct field ORDER[] = {
    FIELD(1, account, REF, APPEND, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Customer,Customer ID,客户名称"),
    FIELD(2, number, TEXT, APPEND, LABEL("Order number", "订单号"), .required = true, .max = 64, .search = 8, .also = "Order,Invoice,InvoiceNo,Order ID,单号,订单编号"),
    FIELD(3, product, REF, APPEND, LABEL("Product", "产品"), .refers_to = "product", .also = "StockCode,SKU,商品"),
    FIELD(4, quantity, DECIMAL, APPEND, LABEL("Quantity", "数量"), .scale = 3, .also = "Qty,销量"),
    FIELD(5, price, MONEY, APPEND, LABEL("Unit price", "单价"), .group = "amount", .also = "UnitPrice,Price,价格"),
    FIELD(6, amount, MONEY, APPEND, LABEL("Amount", "金额"), .group = "amount", .also = "Total,Sales,总额,销售额"),
    FIELD(7, currency, TEXT, APPEND, LABEL("Currency", "币种"), .group = "amount", .max = 3),
    FIELD(8, ordered_on, DATE, APPEND, LABEL("Ordered", "下单日期"), .also = "Order date,InvoiceDate,Date,订单日期"),
    FIELD(9, delivered, DECIMAL, COUNTER, LABEL("Delivered", "已交付数量"), .scale = 3, .also = "Delivered quantity,交付数量"),
    FIELD(10, remarks, NOTE, TEXT, LABEL("Remarks", "备注"), .search = 2, .also = "Notes,Comments"),
};

/* What stands in the file travels by itself, under its hash: PROTOCOL.md, "Contents". */
static const struct field ATTACHMENT[] = {
    FIELD(1, account, REF, APPEND, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Customer,客户名称"),
    FIELD(2, visit, REF, APPEND, LABEL("Visit", "拜访"), .refers_to = "visit"),
    FIELD(3, opportunity, REF, APPEND, LABEL("Opportunity", "商机"), .refers_to = "opportunity"),
    FIELD(4, contact, REF, APPEND, LABEL("Contact", "联系人"), .refers_to = "contact"),
    FIELD(5, title, TEXT, LAST, LABEL("Title", "标题"), .search = 6),
    FIELD(6, file_name, TEXT, APPEND, LABEL("File name", "文件名"), .search = 4),
    FIELD(7, kind, ENUM, APPEND, LABEL("Kind", "附件类型"), .values = &attachment_kind),
    FIELD(8, media_type, TEXT, APPEND, LABEL("Media type", "媒体类型"), .max = 100),
    FIELD(9, size, INT, APPEND, LABEL("Size", "大小"), .required = true, .min = 1, .max = INT64_C(1) << 42, .unit = "B"),
    FIELD(10, content, TEXT, APPEND, LABEL("SHA-256 of the content", "内容校验值（SHA-256）"), .required = true, .max = 64),
    FIELD(11, taken_at, TIME, APPEND, LABEL("Taken", "拍摄或录制时间")),
    FIELD(12, author, REF, APPEND, LABEL("Author", "添加人"), .refers_to = "employee"),
    FIELD(13, arrived_at, TIME, OFFICE, LABEL("At the server since", "到达服务器时间")),
};

/* Who sees an account beside its owner; from and until are days of the org, both included. */
static const struct field TEAM_MEMBER[] = {
    FIELD(1, account, REF, OFFICE, LABEL("Account", "客户"), .required = true, .owns = true, .refers_to = "account", .also = "Customer,客户名称"),
    FIELD(2, employee, REF, OFFICE, LABEL("Employee", "员工"), .required = true, .refers_to = "employee", .also = "Member,成员"),
    FIELD(3, role, ENUM, OFFICE, LABEL("Role in the team", "团队角色"), .values = &team_role),
    FIELD(4, from_on, DATE, OFFICE, LABEL("From", "开始日期"), .also = "From,Start date,起始日期"),
    FIELD(5, until_on, DATE, OFFICE, LABEL("Until", "截止日期"), .also = "Until,End date,结束日期"),
};

/* All accounts of one person go to another: each of the two signs, and only he for himself. */
static const struct field HANDOVER[] = {
    FIELD(1, from_employee, REF, OFFICE, LABEL("Handed over by", "移交人"), .required = true, .refers_to = "employee"),
    FIELD(2, to_employee, REF, OFFICE, LABEL("Taken over by", "接收人"), .required = true, .refers_to = "employee"),
    FIELD(3, on_date, DATE, OFFICE, LABEL("On", "生效日期")),
    FIELD(4, reason, TEXT, OFFICE, LABEL("Reason", "原因"), .search = 2),
    FIELD(5, checklist, SET, OFFICE, LABEL("To be handed over", "交接清单"), .set_of = FIELD_TEXT, .search = 2),
    FIELD(6, done_items, SET, SET, LABEL("Handed over", "已交接"), .set_of = FIELD_TEXT),
    FIELD(7, signed_from, TIME, OWNER, LABEL("Signed by who hands over", "移交人签字"), .written_by = "from_employee"),
    FIELD(8, signed_to, TIME, OWNER, LABEL("Signed by who takes over", "接收人签字"), .written_by = "to_employee"),
    FIELD(9, state, ENUM, OFFICE, LABEL("State", "状态"), .values = &handover_state),
};

/* ------------------------------------------------------------------ entities */

static const struct entity ENTITIES[] = {
    {.tag = 1, .name = "territory", LABEL("Territory", "区域"), .title = "name", .key = {"code"},
     .office_only = true, .homes = {{HOME_PUBLIC, NULL}}, FIELDS(TERRITORY)},
    {.tag = 2, .name = "employee", LABEL("Employee", "员工"), .title = "name", .key = {"login"}, .author = "id",
     .office_only = true, .homes = {{HOME_PUBLIC, NULL}}, FIELDS(EMPLOYEE)},
    {.tag = 3, .name = "product", LABEL("Product", "产品"), .title = "name", .key = {"sku"},
     .office_only = true, .homes = {{HOME_PUBLIC, NULL}}, FIELDS(PRODUCT)},
    {.tag = 4, .name = "account", LABEL("Account", "客户"), .title = "name",
     .homes = {{HOME_TERRITORY, "territory"}, {HOME_TEAM, NULL}}, FIELDS(ACCOUNT)},
    {.tag = 5, .name = "contact", LABEL("Contact", "联系人"), .title = "name",
     .homes = {{HOME_TEAM, "account"}}, FIELDS(CONTACT)},
    {.tag = 6, .name = "visit", LABEL("Visit", "拜访"), .title = "business_date", .author = "author",
     .frozen_by = "state", .frozen_from = VISIT_SUBMITTED,
     .homes = {{HOME_TEAM, "account"}, {HOME_OWN, "author"}}, FIELDS(VISIT)},
    {.tag = 7, .name = "visit_participant", LABEL("Participant", "拜访参与人"), .title = "contact",
     .key = {"visit", "contact", "employee"}, .homes = {{HOME_INHERIT, NULL}}, FIELDS(VISIT_PARTICIPANT)},
    {.tag = 8, .name = "followup", LABEL("Follow-up", "回访"), .title = "due_on",
     .homes = {{HOME_INHERIT, NULL}}, FIELDS(FOLLOWUP)},
    {.tag = 9, .name = "task", LABEL("Task", "任务"), .title = "title",
     .homes = {{HOME_OWN, "owner"}, {HOME_TEAM, "account"}}, FIELDS(TASK)},
    {.tag = 10, .name = "opportunity", LABEL("Opportunity", "商机"), .title = "name",
     .homes = {{HOME_TEAM, "account"}, {HOME_OWN, "owner"}}, FIELDS(OPPORTUNITY)},
    {.tag = 11, .name = "order", LABEL("Order", "订单"), .title = "number", .append_only = true,
     .homes = {{HOME_TEAM, "account"}}, FIELDS(ORDER)},
    {.tag = 12, .name = "team_member", LABEL("Team member", "团队成员"), .title = "employee",
     .office_only = true, .homes = {{HOME_TEAM, "account"}}, FIELDS(TEAM_MEMBER)},
    {.tag = 13, .name = "attachment", LABEL("Attachment", "附件"), .title = "title", .author = "author",
     .homes = {{HOME_TEAM, "account"}}, FIELDS(ATTACHMENT)},
    {.tag = 14, .name = "handover", LABEL("Handover", "过户"), .title = "on_date", .office_only = true,
     .homes = {{HOME_OWN, "from_employee"}, {HOME_OWN, "to_employee"}}, FIELDS(HANDOVER)},
};

const struct entity *entities_declared(size_t *out_count) {
    *out_count = ARRAY_COUNT(ENTITIES);
    return ENTITIES;
}
