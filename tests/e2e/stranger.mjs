// A client of Roadbook by a stranger: written from protocol/PROTOCOL.md alone, with nothing but Node's own library.
// It proves that the page is enough.
//
//     node stranger.mjs run LINK STATE.json [TEXT]   enrols (once), says hello, pushes a visit with TEXT, pulls until
//                                                    nothing is left, waits never; prints what it has as JSON
//     node stranger.mjs check PROTOCOL.md            reads the transcript of the page and proves every message in it
//
// Numbers are in the parts of the page. Whole numbers of 64 bits are BigInt.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import zlib from 'node:zlib';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const DICTIONARY = fs.readFileSync(path.join(HERE, '../../protocol/wire/dictionary.bin'));
const DICTIONARY_NAME = sha256(DICTIONARY).subarray(0, 4);
const TYPE = 'application/roadbook';
const INFLATED_MAX = 32 * 1024 * 1024;

function sha256(...parts) {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function fail(text) {
  throw new Error(text);
}

// ------------------------------------------------------------------ 6.1 primitives

class Writer {
  constructor() { this.bytes = []; }
  fixed(bytes) { for (const b of bytes) this.bytes.push(b); return this; }
  varint(n) {
    n = BigInt.asUintN(64, BigInt(n));
    for (; n >= 128n; n >>= 7n) this.bytes.push(Number(n & 127n) | 128);
    this.bytes.push(Number(n));
    return this;
  }
  signed(n) { n = BigInt(n); return this.varint(n >= 0n ? 2n * n : -2n * n - 1n); }
  blob(bytes) { return this.varint(bytes.length).fixed(bytes); }
  text(s) { return this.blob(Buffer.from(s, 'utf8')); }
  value(v) {
    if (v === null) return this.varint(0);
    if (typeof v === 'string') return this.varint(2).text(v);
    return this.varint(1).signed(v);
  }
  position(p) { return this.varint(p.seq).fixed(p.chain); }
  done() { return Buffer.from(this.bytes); }
}

class Reader {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  get left() { return this.bytes.length - this.at; }
  fixed(n) {
    if (n > this.left) fail('cut short');
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
  byte() { return this.fixed(1)[0]; }
  varint() {
    let n = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const b = this.byte();
      n |= BigInt(b & 127) << shift;
      if (b < 128) return n < 1n << 64n ? n : fail('a varint above 64 bits');
    }
    return fail('a varint of more than 10 bytes');
  }
  number() { return Number(this.varint()); }
  signed() { const n = this.varint(); return n & 1n ? -(n >> 1n) - 1n : n >> 1n; }
  blob() { return this.fixed(this.number()); }
  text() { return this.blob().toString('utf8'); }
  position() { return { seq: this.varint(), chain: this.fixed(16) }; }
  end() { if (this.left) fail('something follows'); }
}

// ------------------------------------------------------------------ 6.2 header and sections

const KIND = { helloRequest: 1, helloReply: 2, enrolRequest: 3, enrolReply: 4, roundRequest: 5, roundReply: 6 };

function messageWrite(kind, sections) {
  const w = new Writer().fixed([0xb7, 1, kind, 0]);
  for (const [tag, bytes] of sections) w.varint(tag).blob(bytes);
  return w.done();
}

function messageRead(bytes, kind) {
  const r = new Reader(bytes);
  const [magic, version, is, coding] = r.fixed(4);
  if (magic !== 0xb7 || version !== 1 || is !== kind) fail('not the message that was expected');
  let payload = r.bytes.subarray(4);
  if (coding === 1) {
    if (!r.fixed(4).equals(DICTIONARY_NAME)) fail('another dictionary');
    const length = r.number();
    if (length > INFLATED_MAX) fail('inflates to too much');
    payload = zlib.inflateRawSync(r.bytes.subarray(r.at), { dictionary: DICTIONARY, maxOutputLength: length || 1 });
    if (payload.length !== length) fail('inflates to another length');
  }
  const sections = new Map(), in_ = new Reader(payload);
  while (in_.left) sections.set(in_.number(), in_.blob());
  if (!sections.has(1)) fail('no head');
  return sections;
}

// ------------------------------------------------------------------ 7 columns, reading

const PACKING = { zero: 0, same: 1, varints: 2, bits: 3, planes: 4, scaledVarints: 5, scaledPlanes: 6 };
const wrap = (n) => BigInt.asIntN(64, n);

class Ints {                                    // 7.1
  constructor(r) {
    const head = r.byte();
    this.packing = head & 7;
    this.order = head >> 3 & 3;
    this.relation = head >> 5;
    if (this.order > 2 || this.relation > 2 || this.packing > 6) fail('a column of unknown form');
    this.start = this.order > 0 ? r.signed() : 0n;
    this.step = this.order > 1 ? r.signed() : 0n;
    this.low = 0n;
    this.scale = 1n;
    this.used = 0;
    this.drawn = 0;
    this.open(r);
  }
  open(r) {
    const p = this.packing;
    if (p === PACKING.zero) return;
    if (p === PACKING.bits) {
      this.distinct = Array.from({ length: r.byte() }, () => r.signed());
      this.width = this.distinct.length <= 2 ? 1 : this.distinct.length <= 4 ? 2 : 4;
    } else {
      this.low = r.signed();
    }
    if (p === PACKING.same) return;
    if (p >= PACKING.scaledVarints) this.scale = r.varint();
    if (p === PACKING.planes || p === PACKING.scaledPlanes) this.width = r.byte();
    this.data = new Reader(r.blob());
  }
  packed() {
    const i = this.drawn++;
    switch (this.packing) {
    case PACKING.zero: return 0n;
    case PACKING.same: return this.low;
    case PACKING.varints:
    case PACKING.scaledVarints: return this.low + this.scale * this.data.varint();
    case PACKING.bits: {
      const bit = i * this.width, place = this.data.bytes[bit >> 3] >> (bit & 7) & (1 << this.width) - 1;
      return this.distinct[place] ?? fail('no such number');
    }
    default: {
      const n = this.data.bytes.length / this.width;
      let v = 0n;
      if (i >= n) fail('a column is too short');
      for (let w = 0; w < this.width; w++) v |= BigInt(this.data.bytes[w * n + i]) << BigInt(8 * w);
      return this.low + this.scale * v;
    }
    }
  }
  next(beside) {
    const i = this.used++;
    if (this.order === 0) this.last = this.packed();
    else if (i === 0) this.last = this.start;
    else if (this.order === 1) this.last += this.packed();
    else {
      if (i > 1) this.step += this.packed();
      this.last += this.step;
    }
    this.last = wrap(this.last);
    const extra = this.relation === 1 ? beside.number : this.relation === 2 ? beside.day : 0n;
    return wrap(this.last + extra);
  }
}

class Texts {                                   // 7.2
  constructor(r, area) {
    const form = r.number();
    this.area = new Reader(area.fixed(r.number()));
    const count = form === 1 ? r.number() : 0;
    this.lengths = new Ints(r);
    if (form !== 1) return;
    this.distinct = Array.from({ length: count }, () => this.area.fixed(Number(this.lengths.next())));
    this.places = new Ints(r);
  }
  next() {
    if (this.distinct) return (this.distinct[Number(this.places.next())] ?? fail('no such text')).toString('utf8');
    return this.area.fixed(Number(this.lengths.next())).toString('utf8');
  }
}

function unfold(bytes) {                        // 7.3
  const r = new Reader(bytes);
  if (!bytes.length) return bytes;
  const form = r.byte();
  if (form === 0) return bytes.subarray(1);
  if (form !== 1) fail('texts of unknown form');
  const total = r.number(), count = r.number();
  if (total > INFLATED_MAX) fail('texts of too many bytes');
  const [gaps, lengths, backs] = [new Ints(r), new Ints(r), new Ints(r)];
  const out = Buffer.alloc(total);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += r.fixed(Number(gaps.next())).copy(out, at);
    const length = Number(lengths.next()), back = Number(backs.next());
    if (back < 1 || back > at || length > total - at) fail('a repeat out of bounds');
    for (let k = 0; k < length; k++, at++) out[at] = out[at - back];
  }
  at += r.fixed(r.left).copy(out, at);
  return at === total ? out : fail('texts of another length');
}

class Section {                                 // columns by name, each opened at its first use
  constructor(bytes) {
    const r = new Reader(bytes);
    this.numbers = new Reader(r.blob());
    this.texts = new Reader(unfold(r.bytes.subarray(r.at)));
    this.columns = new Map();
  }
  column(name, make) {
    if (!this.columns.has(name)) this.columns.set(name, make());
    return this.columns.get(name);
  }
  int(name, beside) { return this.column(name, () => new Ints(this.numbers)).next(beside); }
  num(name) { return Number(this.int(name)); }
  text(name) { return this.column(name, () => new Texts(this.numbers, this.texts)).next(); }
  value(name, beside) {                         // 7.4
    const kind = this.num(name + '.kinds');
    if (kind === 0) return null;
    if (kind === 2) return this.text(name + '.texts');
    const n = this.int(name + '.numbers', beside);
    beside.number = n;
    if (n > 631152000000n && n < 4102444800000n) beside.day = n / 86400000n;
    return n;
  }
  id(name) {                                    // 7.5
    const device = this.int(name + '.devices');
    const last = this.column(name + '.last', () => new Map());
    const counter = wrap(this.int(name + '.counters') + (last.get(device % 64n) ?? 0n));
    last.set(device % 64n, counter);
    return (device << 32n) + counter;
  }
  shapes() {                                    // 7.7
    const r = this.numbers;
    this.table = Array.from({ length: r.number() }, (_, index) => ({
      index, entity: r.number(), kind: r.number(),
      cells: Array.from({ length: r.number() }, () => ({ tag: r.number(), kind: r.number(), count: r.number() })),
    }));
  }
  which() { return this.table[this.num('which')] ?? fail('no such shape'); }
  cells(shape) {
    const out = [];
    for (let i = 0; i < shape.cells.length; i += 32) {
      const mask = this.int(`${shape.index}.mask${i}`);
      for (let k = 0; k < 32; k++) if (mask >> BigInt(k) & 1n) out.push(i + k);
    }
    return out.map((k) => ({ ...shape.cells[k], name: `${shape.index}.${k}` }));
  }
  values(cell, beside) {
    return Array.from({ length: cell.count }, (_, i) => this.value(`${cell.name}.value${i}`, beside));
  }
}

const newBeside = () => ({ number: 0n, day: 0n });

// ------------------------------------------------------------------ 8 sections, reading

const OUTCOMES = ['applied', 'merged', 'lost', 'waiting', 'refused'];

function receiptLine(s, memory) {
  const shape = s.which();
  const line = { outcome: OUTCOMES[s.num('outcome')], reason: s.num('reason'), state: s.num('state'), row: s.id('row'),
                 prev: s.int('prev'), seq: s.int('seq') + memory.seq };
  if (line.seq !== 0n) memory.seq = line.seq;
  line.edits = s.cells(shape).map((cell) => ({
    cell: cell.tag, outcome: OUTCOMES[s.num(cell.name + '.outcome')], reason: s.num(cell.name + '.reason'),
    seq: s.int(cell.name + '.seq') + line.seq, hasValues: s.num(cell.name + '.has') === 1,
    values: s.values(cell, newBeside()),
  }));
  line.unit = Array.from({ length: s.num('unit') }, () => ({ row: s.id('unitRow'), state: s.num('unitState') }));
  return line;
}

function receiptsRead(bytes) {
  const s = new Section(bytes);
  const count = s.numbers.number(), memory = { seq: s.numbers.varint() };
  s.shapes();
  return Array.from({ length: count }, () => {
    const receipt = { batch: s.num('batch'), time: s.int('time') };
    const lines = s.num('lines');
    receipt.lines = Array.from({ length: lines }, () => receiptLine(s, memory));
    receipt.at = s.int('at') + memory.seq;
    return receipt;
  });
}

function recordsRead(bytes) {
  const s = new Section(bytes);
  const count = s.numbers.number();
  s.shapes();
  return Array.from({ length: count }, () => {
    const shape = s.which(), beside = newBeside();
    const record = { entity: shape.entity, whole: (shape.kind & 1) === 1, dead: (shape.kind & 2) === 2,
                     left: (shape.kind & 4) === 4, row: s.id(`${shape.index}.row`), seq: s.int('seq'), cells: new Map() };
    for (const cell of s.cells(shape)) record.cells.set(cell.tag, s.values(cell, beside));
    return record;
  });
}

function peopleRead(bytes) {
  const s = new Section(bytes);
  return Array.from({ length: s.numbers.number() },
    () => ({ device: s.num('device'), employee: s.id('employee'), name: s.text('name') }));
}

function aliasesRead(bytes) {
  const s = new Section(bytes);
  return Array.from({ length: s.numbers.number() },
    () => ({ seq: s.int('seq'), from: s.id('from'), to: s.id('to') }));
}

// ------------------------------------------------------------------ 8.1 batches, writing

// The simple way: every column as varints above 0, none shared or related.
class SectionWriter {
  constructor() { this.prefix = new Writer(); this.columns = new Map(); this.last = new Map(); }
  int(name, n) { this.put(name, 'ints', BigInt.asIntN(64, BigInt(n))); }
  text(name, s) { this.put(name, 'texts', Buffer.from(s, 'utf8')); }
  put(name, kind, value) {
    if (!this.columns.has(name)) this.columns.set(name, { kind, values: [] });
    this.columns.get(name).values.push(value);
  }
  value(name, v) {
    this.int(name + '.kinds', v === null ? 0 : typeof v === 'string' ? 2 : 1);
    if (typeof v === 'string') this.text(name + '.texts', v);
    else if (v !== null) this.int(name + '.numbers', v);
  }
  id(name, id) {
    const device = id >> 32n, counter = id & 0xffffffffn, key = name + device % 64n;
    this.int(name + '.devices', device);
    this.int(name + '.counters', counter - (this.last.get(key) ?? 0n));
    this.last.set(key, counter);
  }
  ints(values) {
    const packed = new Writer();
    for (const v of values) packed.varint(v);
    this.prefix.fixed([2]).signed(0).blob(packed.done());
  }
  done() {
    const area = [];
    for (const { kind, values } of this.columns.values()) {
      if (kind === 'texts') {
        this.prefix.varint(0).varint(values.reduce((n, v) => n + v.length, 0));
        this.ints(values.map((v) => v.length));
        area.push(...values);
      } else {
        this.ints(values);
      }
    }
    const texts = Buffer.concat(area);
    const w = new Writer().blob(this.prefix.done());
    return texts.length ? w.fixed([0]).fixed(texts).done() : w.done();
  }
}

// batch: {number, cursor, stamp, entity, row, cells: [[tag, [values]] ...]}: one create. 6.4
function batchCanonical(b) {
  const w = new Writer().varint(b.number).varint(0).varint(b.cursor);
  w.signed(b.stamp.wall).varint(1).signed(b.stamp.boot).signed(0).signed(0).varint(1);
  w.varint(0).varint(b.entity).varint(b.row).varint(b.cells.length);
  for (const [tag, values] of b.cells) {
    w.varint(tag).varint(0).varint(values.length);
    for (const v of values) w.value(v);
  }
  return w.done();
}

function batchesWrite(batches) {
  const s = new SectionWriter();
  s.prefix.varint(batches.length).varint(batches.length);   // a shape for each batch
  for (const b of batches) {
    s.prefix.varint(b.entity).varint(0).varint(b.cells.length);
    for (const [tag, values] of b.cells) s.prefix.varint(tag).varint(0).varint(values.length);
  }
  batches.forEach((b, shape) => {
    const columns = { number: b.number, flags: 0, cursor: b.cursor, wall: b.stamp.wall, bootNumber: 1,
                      boot: BigInt(b.stamp.boot) - BigInt(b.stamp.wall), steps: 0, import: 0, changes: 1, which: shape };
    for (const [name, n] of Object.entries(columns)) s.int(name, n);
    s.id(`${shape}.row`, b.row);
    s.int(`${shape}.mask`, (1n << BigInt(b.cells.length)) - 1n);
    s.int(`${shape}.baseSeq`, 0);
    s.int(`${shape}.baseOwn`, 0);
    for (const [tag, values] of b.cells) {
      for (const name of ['baseSeq', 'baseOwn', 'todaySeq', 'todayOwn']) s.int(`${shape}.${tag}.${name}`, 0);
      values.forEach((v, i) => s.value(`${shape}.${tag}.${i}`, v));
    }
    s.int(`${shape}.unit`, 0);
    s.int(`${shape}.retries`, 0);
  });
  return s.done();
}

// ------------------------------------------------------------------ 5 proof

const ED25519_SECRET = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const X25519_SECRET = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');
const secretKey = (prefix, bytes) =>
  crypto.createPrivateKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'pkcs8' });
const publicKey = (prefix, bytes) =>
  crypto.createPublicKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'spki' });
const rawPublic = (secret) => crypto.createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);

const REQUEST = '("@method" "@path" "content-type" "content-digest")';
const REPLY = '("content-digest" "signature";req)';

const digestOf = (body) => `sha-256=:${sha256(body).toString('base64')}:`;
const quote = (component) => `"${component}"`;

function requestBase(request, input) {
  return [`${quote('@method')}: POST`, `${quote('@path')}: ${request.path}`, `${quote('content-type')}: ${TYPE}`,
          `${quote('content-digest')}: ${digestOf(request.body)}`, `${quote('@signature-params')}: ${input}`].join('\n');
}

// sign: base -> bytes
function requestMake(what, body, params, sign) {
  const request = { path: what, body };
  const input = REQUEST + params;
  request.signature = `s=:${sign(Buffer.from(requestBase(request, input))).toString('base64')}:`;
  request.fields = { 'Content-Type': TYPE, 'Content-Digest': digestOf(body), 'Signature-Input': `s=${input}`,
                     Signature: request.signature };
  return request;
}

// check: (base, signature) -> whether it proves. Returns the nonce that the reply names, if any.
function replyCheck(request, reply, components, check) {
  const input = (reply.fields['signature-input'] ?? '').replace(/^s=/, '');
  const match = /^(\(.*\))(?:;nonce="([^"]+)")?$/.exec(input);
  if (!match || match[1] !== components) fail('the reply carries another signature');
  const lines = [];
  if (components.includes('content-digest')) {
    if (reply.fields['content-digest'] !== digestOf(reply.body)) fail('the digest of the reply is wrong');
    lines.push(`"content-digest": ${reply.fields['content-digest']}`);
  }
  if (components.includes('req')) lines.push(`"signature";req: ${request.signature}`);
  lines.push(`"@signature-params": ${input}`);
  const signature = Buffer.from(/^s=:(.*):$/.exec(reply.fields.signature ?? '')?.[1] ?? '', 'base64');
  if (!check(Buffer.from(lines.join('\n')), signature)) fail('the reply is not proved');
  return match[2];
}

const chainNext = (chain, bytes) => sha256(chain, bytes).subarray(0, 16);
const edSign = (secret) => (base) => crypto.sign(null, base, secret);
const edCheck = (raw) => (base, signature) => crypto.verify(null, base, publicKey(ED25519_PUBLIC, raw), signature);
const hmac = (key) => (base) => crypto.createHmac('sha256', key).update(base).digest();
const hmacCheck = (key) => (base, signature) => hmac(key)(base).equals(signature);

function sessionKey(secret, ownPublic, peerPublic, device) {   // 10
  const shared = crypto.diffieHellman({ privateKey: secret, publicKey: publicKey(X25519_PUBLIC, peerPublic) });
  const number = Buffer.alloc(4);
  number.writeUInt32BE(device);
  return hmac(shared)(Buffer.concat([Buffer.from('roadbook session 1'), ownPublic, peerPublic, number]));
}

const nonceNext = (nonce) => nonce.replace(/\d+$/, (n) => String(BigInt(n) + 1n));

// ------------------------------------------------------------------ 8.12, 10.1 another key of the org

function keysRead(bytes) {                       // undefined: the section is not there
  if (!bytes) return { total: 0, changes: [] };
  const r = new Reader(bytes), total = r.number(), count = r.number(), changes = [];
  for (let old = count ? r.fixed(32) : null; changes.length < count; old = changes.at(-1).next)
    changes.push({ old, next: r.fixed(32), time: r.signed(), seq: r.varint(), byOld: r.fixed(64), byNew: r.fixed(64) });
  r.end();
  return { total, changes };
}

// trust: { first, now, heard }; heard 0: now is the key of the link, and any of the chain's
function keysFollow(trust, { total, changes }) {
  if (total < trust.heard) fail('an older key of the org than I know');
  if (total === trust.heard) return total ? trust : { first: trust.now, now: trust.now, heard: 0 };
  const before = total - changes.length;
  if (before > trust.heard) fail('changes of the key are missing');
  const first = trust.heard ? trust.first : changes[0].old;
  const known = trust.heard ? [changes[trust.heard - before].old] : [changes[0].old, ...changes.map((c) => c.next)];
  if (!known.some((key) => key.equals(trust.now))) fail('the chain does not meet the key that I know');
  changes.forEach((c, i) => {
    const said = new Writer().fixed(Buffer.from('roadbook key 1\n')).fixed(first).varint(before + i + 1).fixed(c.old)
      .fixed(c.next).signed(c.time).varint(c.seq).done();
    if (!edCheck(c.old)(said, c.byOld) || !edCheck(c.next)(said, c.byNew)) fail('a change of the key is not signed');
  });
  return { first, now: changes.at(-1).next, heard: total };
}

// ------------------------------------------------------------------ 6.3 heads

function helloRequestBody(device, boxPublic, wall, heard = 0) {
  const head = new Writer().varint(device).fixed(boxPublic).text('stranger').fixed(Buffer.alloc(16)).signed(wall);
  return messageWrite(KIND.helloRequest, [[1, head.done()], ...(heard ? [[45, new Writer().varint(heard).done()]] : [])]);
}

function helloReplyRead(body) {
  const r = new Reader(messageRead(body, KIND.helloReply).get(1));
  const m = { boxPublic: r.fixed(32), time: r.signed(), keyMs: r.signed(), nonce: r.text(), release: r.text(),
              minimum: r.text() };
  r.end();
  return m;
}

function enrolRequestBody(code, devicePublic, name) {
  const head = new Writer().blob(code).fixed(devicePublic).text(name).text('stranger');
  return messageWrite(KIND.enrolRequest, [[1, head.done()]]);
}

function enrolReplyRead(body) {
  const r = new Reader(messageRead(body, KIND.enrolReply).get(1));
  const m = { device: r.number(), employee: r.varint(), user: r.text(), org: r.text(), epoch: r.varint(),
              time: r.signed() };
  r.end();
  return m;
}

// 8.6: how far the homes are here
function scopeWrite(s) {
  const filling = s.filling > s.ready;
  const w = new Writer().varint(filling ? 1 : 0).varint(s.told).signed(s.told - s.ready);
  if (filling) w.varint(s.filling - s.ready).varint(s.home).varint(s.entity).varint(s.row);
  return w.done();
}

function scopeRead(r) {
  const filling = (r.number() & 1) === 1, told = r.varint(), ready = told - r.signed();
  const s = { told, ready, filling: ready, home: 0n, entity: 0n, row: 0n };
  if (filling) Object.assign(s, { filling: ready + r.varint(), home: r.varint(), entity: r.varint(), row: r.varint() });
  r.end();
  return s;
}

function roundRequestBody(state, batches, signature, clocks) {
  const head = new Writer().varint(0).varint(state.epoch).position(state.cursor).position(state.top);
  head.varint(state.since).varint(state.news).varint(state.lastBatch).fixed(state.lastChain);
  head.signed(clocks.wall).varint(1).signed(clocks.boot).signed(0).signed(state.offset).varint(0);
  head.varint(1 << 20);
  const sections = [[1, head.done()]];
  if (state.scope.told) sections.push([10, scopeWrite(state.scope)]);
  if (batches.length) sections.push([2, signature], [3, batchesWrite(batches)]);
  if (state.voucher) sections.push([43, new Writer().varint(state.voucher.lastBatch).fixed(state.voucher.mac).done()]);
  return messageWrite(KIND.roundRequest, sections);
}

function roundReplyRead(body, device, orgPublic) {
  const sections = messageRead(body, KIND.roundReply), r = new Reader(sections.get(1));
  const m = { kind: r.number(), receipts: [], records: [], aliases: [], people: [] };
  if (m.kind === 2) fail('this store was copied or set back');
  if (m.kind === 1) {                            // 14.6: the server went back in time
    const next = { ...m, epoch: r.varint(), cursor: r.position() };
    r.end();
    return next;
  }
  const flags = r.number();
  m.epoch = r.varint();
  m.time = r.signed();
  m.head = r.position();
  m.cursor = flags & 1 ? m.head : r.position();
  m.since = flags & 2 ? m.cursor.seq : r.varint();
  m.more = (flags & 4) !== 0;
  m.retryMs = flags & 8 ? r.number() : 0;
  m.lastBatch = r.number();
  if (flags & 16) m.news = r.varint();
  r.end();
  if (sections.has(4)) {
    const proved = new Writer().varint(device).fixed(sections.get(4)).done();
    if (!edCheck(orgPublic)(proved, sections.get(2))) fail('the receipts are not signed by the org');
    m.receipts = receiptsRead(sections.get(4));
  }
  if (sections.has(5)) m.people = peopleRead(sections.get(5));
  if (sections.has(6)) m.aliases = aliasesRead(sections.get(6));
  if (sections.has(9)) m.records = recordsRead(sections.get(9));
  if (sections.has(10)) m.scope = scopeRead(new Reader(sections.get(10)));
  if (sections.has(13)) m.records.push(...recordsRead(sections.get(13)));
  if (sections.has(43)) m.voucher = { lastBatch: m.lastBatch, mac: new Reader(sections.get(43)).fixed(16) };
  return m;
}

// ------------------------------------------------------------------ 4 transport

function linkRead(text) {
  const url = new URL(text);
  const [code, org, pin] = url.hash.slice(1).split('.').map((part) => Buffer.from(part, 'base64url'));
  if (code.length !== 16 || org.length !== 32 || (pin && pin.length !== 32)) fail('the link is damaged');
  return { origin: url.origin, org: url.pathname.split('/')[1], code, orgPublic: org, pin };
}

function pinCheck(link, socket) {                // once for each connection
  if (!link.pin || socket.pinChecked) return;
  socket.pinChecked = true;
  socket.once('secureConnect', () => {
    const key = socket.getPeerX509Certificate().publicKey.export({ type: 'spki', format: 'der' });
    if (!sha256(key).equals(link.pin)) socket.destroy(new Error('the certificate is not the pinned one'));
  });
}

function post(link, request) {
  const { hostname, port } = new URL(link.origin);
  const options = { method: 'POST', hostname, port: port || 443, path: request.path, agent: link.agent,
                    rejectUnauthorized: !link.pin,
                    headers: { ...request.fields, 'Content-Length': request.body.length } };
  return new Promise((resolve, reject) => {
    const message = https.request(options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ code: answer.statusCode, fields: answer.headers, body: Buffer.concat(parts) }));
    });
    message.on('socket', (socket) => pinCheck(link, socket));
    message.on('error', reject);
    message.end(request.body);
  });
}

function problem(reply) {
  let detail = '';
  try { detail = JSON.parse(reply.body.toString()).detail; } catch { detail = 'no problem document'; }
  return Object.assign(new Error(`HTTP ${reply.code}: ${detail}`), { code: reply.code, reply });
}

// ------------------------------------------------------------------ the client

const clocks = () => ({ wall: Date.now(), boot: Math.round(performance.now()) + 1000 });
const NO_SCOPE = () => ({ told: 0n, ready: 0n, filling: 0n, home: 0n, entity: 0n, row: 0n });
const NOWHERE = () => ({ seq: 0n, chain: Buffer.alloc(16) });

class Client {
  constructor(link, statePath) {
    this.link = link;
    link.agent = new https.Agent({ keepAlive: true, maxCachedSessions: 0 });
    this.statePath = statePath;
    this.state = { seed: crypto.randomBytes(32), device: 0, employee: 0n, epoch: 1n, cursor: NOWHERE(), top: NOWHERE(),
                   since: 0n, news: 0n, lastBatch: 0, lastChain: Buffer.alloc(16), offset: 0n, counter: 0, outbox: [],
                   scope: NO_SCOPE() };
    if (fs.existsSync(statePath)) this.state = JSON.parse(fs.readFileSync(statePath, 'utf8'), revive);
    this.save();                                // the key is kept before the code is spent
    this.key = secretKey(ED25519_SECRET, this.state.seed);
    this.rows = new Map();
    this.receipts = [];
  }
  save() { fs.writeFileSync(this.statePath, JSON.stringify(this.state, replace), { mode: 0o600 }); }

  async enrol() {                               // 9
    const devicePublic = rawPublic(this.key);
    const request = requestMake(`/${this.link.org}/enroll`,
      enrolRequestBody(this.link.code, devicePublic, 'stranger'), '', edSign(this.key));
    const reply = await post(this.link, request);
    if (reply.code !== 200) throw problem(reply);
    const keys = keysRead(messageRead(reply.body, KIND.enrolReply).get(45));
    const trust = keysFollow({ now: this.link.orgPublic, heard: 0 }, keys);
    const nonce = replyCheck(request, reply, '("content-digest")', edCheck(trust.now));
    if (nonce !== devicePublic.toString('base64url')) fail('the reply answers somebody else');
    const m = enrolReplyRead(reply.body);
    Object.assign(this.state, { device: m.device, employee: m.employee, epoch: m.epoch, trust });
    this.save();
  }

  async hello() {                               // 10
    const { privateKey } = crypto.generateKeyPairSync('x25519');
    const own = rawPublic(privateKey), device = this.state.device;
    const request = requestMake(`/${this.link.org}/hello`, helloRequestBody(device, own, Date.now(), this.state.trust.heard),
      `;created=${Math.floor(Date.now() / 1000)};keyid="${device}"`, edSign(this.key));
    const reply = await post(this.link, request);
    if (reply.code !== 200) throw problem(reply);
    const trust = keysFollow(this.state.trust, keysRead(messageRead(reply.body, KIND.helloReply).get(45)));
    replyCheck(request, reply, REPLY, edCheck(trust.now));
    this.state.trust = trust;
    this.save();                                // before anything that it signed is used
    const m = helloReplyRead(reply.body);
    this.session = { key: sessionKey(privateKey, own, m.boxPublic, device), nonce: m.nonce };
  }

  async ask(body) {
    for (let i = 0; i < 3; i++) {
      if (!this.session) await this.hello();
      const { key, nonce } = this.session;
      const request = requestMake(`/${this.link.org}/round`, body, `;nonce="${nonce}";keyid="${this.state.device}"`,
        hmac(key));
      this.session.nonce = nonceNext(nonce);
      const reply = await post(this.link, request);
      if (reply.code === 200) {
        this.session.nonce = replyCheck(request, reply, REPLY, hmacCheck(key)) ?? this.session.nonce;
        return reply.body;
      }
      if (reply.code !== 401) throw problem(reply);
      const next = reply.fields['roadbook-nonce'];
      if (next) this.session.nonce = next;
      else this.session = null;
    }
    return fail('three proofs were refused');
  }

  add(entity, cells) {                          // saves a batch that creates one row
    const now = clocks(), s = this.state;
    s.counter++;
    const row = (BigInt(s.device) << 32n) + BigInt(s.counter);
    s.outbox.push({ number: s.lastBatch + s.outbox.length + 1, cursor: s.cursor.seq, stamp: now, entity, row, cells });
    this.save();
    return row;
  }

  async round() {                               // 11; true: there is more
    const s = this.state, batches = [...s.outbox], now = clocks();
    const chains = [s.lastChain];
    for (const b of batches) chains.push(chainNext(chains.at(-1), batchCanonical(b)));
    const signature = crypto.sign(null, chains.at(-1), this.key);
    const m = roundReplyRead(await this.ask(roundRequestBody(s, batches, signature, now)), s.device, s.trust.now);
    if (m.kind === 1) return this.enterEpoch(m);
    this.apply(m, batches, chains, BigInt(now.wall));
    return m.more || s.outbox.length > 0;
  }

  enterEpoch(m) {                               // 14.6, without marks: everything comes anew
    const s = this.state;                       // what the server forgot it would give back; it keeps no batch so long
    Object.assign(s, { epoch: m.epoch, cursor: NOWHERE(), since: 0n, top: m.cursor, scope: NO_SCOPE(), voucher: null });
    this.save();
    return true;
  }

  apply(m, batches, chains, wall) {             // 13
    const s = this.state;
    for (const receipt of m.receipts) {
      const at = batches.findIndex((b) => b.number === receipt.batch);
      if (at < 0) fail('a receipt for a batch that was not sent');
      s.outbox = s.outbox.filter((b) => b.number !== receipt.batch);
      Object.assign(s, { lastBatch: receipt.batch, lastChain: chains[at + 1] });
      this.receipts.push(receipt);
    }
    for (const alias of m.aliases) this.rows.delete(alias.from);
    for (const record of m.records) {
      const row = record.whole ? undefined : this.rows.get(record.row);
      if (record.dead || record.left) this.rows.delete(record.row);
      else this.rows.set(record.row, { entity: record.entity, seq: record.seq,
                                       cells: new Map([...(row?.cells ?? []), ...record.cells]) });
    }
    const top = m.head.seq > s.top.seq ? m.head : s.top;
    if (m.voucher) s.voucher = m.voucher;       // 8.9: of the head, which is the top now
    Object.assign(s, { epoch: m.epoch, scope: m.scope ?? s.scope, cursor: m.cursor, since: m.since, top, news: m.news ?? s.news,
                       offset: wall - m.time });
    this.save();
  }
}

function replace(_, v) {
  if (typeof v === 'bigint') return { big: String(v) };
  return v?.type === 'Buffer' ? { hex: Buffer.from(v.data).toString('hex') } : v;
}
function revive(_, v) {
  if (v && typeof v === 'object' && 'big' in v) return BigInt(v.big);
  return v && typeof v === 'object' && 'hex' in v ? Buffer.from(v.hex, 'hex') : v;
}

const ENTITY = { account: 4, visit: 6 };

async function run(linkText, statePath, text) {
  const client = new Client(linkRead(linkText), statePath), s = client.state;
  if (!s.device) await client.enrol();
  while (await client.round());
  const account = [...client.rows].find(([, row]) => row.entity === ENTITY.account);
  if (text && account) {
    const started = BigInt(Math.floor(Date.now() / 60000) * 60000);
    client.pushed = client.add(ENTITY.visit, [
      [1, [account[0]]], ...(s.employee ? [[3, [s.employee]]] : []), [4, [1n]], [5, [started - 3600000n, started]],
      [14, [text]], [18, [started / 86400000n]], [19, [1n]]]);
    while (await client.round());
  }
  client.link.agent.destroy();
  const rows = [...client.rows].map(([id, row]) =>
    ({ id: Number(id), entity: row.entity, seq: Number(row.seq), cells: Object.fromEntries(row.cells) }));
  const out = { device: s.device, cursor: s.cursor.seq, pushed: client.pushed ?? null, receipts: client.receipts, rows };
  process.stdout.write(JSON.stringify(out, (_, v) => (typeof v === 'bigint' ? Number(v) : v)) + '\n');
}

// ------------------------------------------------------------------ 18: the transcript proves itself

function transcriptRead(text) {
  const part = text.slice(text.indexOf('<!-- transcript'), text.indexOf('<!-- end of transcript'));
  const fixed = (what) => Buffer.from(new RegExp(`\\| ${what} \\| \`([0-9a-f]+)\``).exec(part)[1], 'hex');
  const messages = [...part.matchAll(/```http\n([^]*?)\n\n([^]*?)```/g)].map(([, head, body]) => {
    const [start, ...lines] = head.split('\n');
    const fields = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]));
    const bytes = body.startsWith('{') ? Buffer.from(body) : Buffer.from(body.replace(/\n/g, ''), 'hex');
    return { start, fields, body: bytes, path: start.split(' ')[1], signature: fields.signature };
  });
  return { part, fixed, messages };
}

function expect(what, is, should) {
  if (!should.equals(is)) fail(`${what}: ${is.toString('hex')} instead of ${should.toString('hex')}`);
}

function check(documentPath) {
  const { part, fixed, messages } = transcriptRead(fs.readFileSync(documentPath, 'utf8'));
  const [enrol, enrolled, hello, greeted, idle, idled, push, pushed] = messages;
  const key = secretKey(ED25519_SECRET, fixed("seed of the device's key")), devicePublic = fixed('its public key');
  const link = linkRead(/https:\S+/.exec(part)[0]), org = edCheck(link.orgPublic);
  const made = (m, what, params, sign) =>
    expect(what, Buffer.from(requestMake(m.path, m.body, params, sign).signature), Buffer.from(m.signature));
  expect('public key', rawPublic(key), devicePublic);
  expect('enrol body', new Reader(messageRead(enrol.body, KIND.enrolRequest).get(1)).blob(), link.code);
  made(enrol, 'enrol request', '', edSign(key));
  replyCheck(enrol, enrolled, '("content-digest")', org);
  const device = enrolReplyRead(enrolled.body).device;
  made(hello, 'hello request', `;created=1767225600;keyid="${device}"`, edSign(key));
  replyCheck(hello, greeted, REPLY, org);
  const box = secretKey(X25519_SECRET, fixed("X25519 secret of the laptop's hello")), m = helloReplyRead(greeted.body);
  const session = sessionKey(box, rawPublic(box), m.boxPublic, device);
  expect('session key', session, fixed("the session's key, which both work out"));
  made(idle, 'idle request', `;nonce="${m.nonce}";keyid="${device}"`, hmac(session));
  replyCheck(idle, idled, REPLY, hmacCheck(session));
  made(push, 'push', `;nonce="${nonceNext(m.nonce)}";keyid="${device}"`, hmac(session));
  replyCheck(push, pushed, REPLY, hmacCheck(session));
  checkBatch(part, fixed, messageRead(push.body, KIND.roundRequest), devicePublic);
  const reply = roundReplyRead(pushed.body, device, link.orgPublic);
  const name = reply.records[0].cells.get(1)[0];
  if (reply.receipts[0].lines[0].seq !== 42n || name !== 'Hainan Straits Shipping') fail('the reply reads otherwise');
  process.stdout.write('the transcript proves itself\n');
}

function checkBatch(part, fixed, sections, devicePublic) {
  const shown = Buffer.from(/```hex\n([^]*?)```/.exec(part)[1].replace(/\n/g, ''), 'hex');
  const now = 1767225600000n;
  const batch = { number: 1, cursor: 41n, stamp: { wall: now - 30000n, boot: 30000n }, entity: 6, row: (3n << 32n) + 7n,
                  cells: [[1, [5n]], [3, [1n]], [4, [1n]], [5, [now - 7200000n, now - 3600000n]],
                          [14, ['Wants samples by March.']], [18, [20453n]], [19, [1n]]] };
  expect('canonical batch', batchCanonical(batch), shown);
  const chain = chainNext(Buffer.alloc(16), shown);
  expect('chain', chain, fixed('chain after it'));
  expect('signature in the push', sections.get(2), fixed('signature of the chain'));
  if (!edCheck(devicePublic)(chain, sections.get(2))) fail('the batches are not signed');
}

async function cli([command, ...words]) {
  if (command === 'run' && words.length >= 2) await run(...words);
  else if (command === 'check' && words.length === 1) check(words[0]);
  else fail('usage: stranger.mjs run LINK STATE.json [TEXT] | check PROTOCOL.md');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await cli(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${process.env.STACK ? error.stack : error.message}\n`);
    process.exitCode = 1;
  }
}

// For liar.mjs, which says what nobody should.
export { Client, KIND, TYPE, DICTIONARY_NAME, Writer, batchCanonical, batchesWrite, chainNext, clocks, digestOf, hmac, linkRead,
         messageWrite, nonceNext, post, replyCheck, requestMake, roundReplyRead, roundRequestBody, DICTIONARY, REPLY, hmacCheck };
