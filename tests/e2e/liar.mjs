// An enrolled client that says what nobody should, with and without a valid proof, and prints as JSON what the server
// answered to each: {name: {code, problem, outcomes}}. Used by test_bad_input.py.
//
//     node liar.mjs LINK STATE.json ACCOUNT
import crypto from 'node:crypto';
import zlib from 'node:zlib';
import {
  Client, DICTIONARY, DICTIONARY_NAME, KIND, TYPE, Writer, batchCanonical, chainNext, clocks, hmac, linkRead, messageWrite,
  nonceNext, post, requestMake, roundReplyRead, roundRequestBody,
} from './stranger.mjs';

const MIB = 1024 * 1024;
const [linkText, statePath, account] = process.argv.slice(2);
const client = new Client(linkRead(linkText), statePath), state = client.state, answers = {};
const deviceId = () => (BigInt(state.device) << 32n) + BigInt(++state.counter);

// Sends the body as it is, with a proof that spoil may change before it leaves.
async function say(name, body, spoil = () => {}, path = `/${client.link.org}/round`) {
  if (!client.session) await client.hello();
  const { key, nonce } = client.session;
  const request = requestMake(path, body, `;nonce="${nonce}";keyid="${state.device}"`, hmac(key));
  client.session.nonce = nonceNext(nonce);
  spoil(request);
  const reply = await post(client.link, request);
  let problem = null;
  if (reply.code !== 200) try { problem = JSON.parse(reply.body).code ?? null; } catch { problem = 'not a problem'; }
  answers[name] = { code: reply.code, problem, nonce: reply.fields['roadbook-nonce'] ?? null };
  return reply;
}

const idle = () => roundRequestBody(state, [], null, clocks());
const stamped = (cells, entity = 6) =>
  ({ number: state.lastBatch + 1, cursor: state.cursor.seq, stamp: clocks(), entity, row: deviceId(), cells });

function pushBody(batch, from = state) {
  const chain = chainNext(from.lastChain, batchCanonical(batch));
  return roundRequestBody(from, [batch], crypto.sign(null, chain, client.key), clocks());
}

// A well-formed push of one create that head office should not take.
async function claim(name, cells, entity) {
  const batch = stamped(cells, entity), reply = await say(name, pushBody(batch));
  if (reply.code !== 200) return;
  const m = roundReplyRead(reply.body, state.device, client.link.orgPublic);
  client.apply(m, [batch], [state.lastChain, chainNext(state.lastChain, batchCanonical(batch))], BigInt(Date.now()));
  const line = m.receipts[0].lines[0];
  answers[name].outcome = line.outcome;
  answers[name].reason = line.reason;
}

// More than the server has, without a word of the server's that shows it: nothing begins.
async function ahead(name, from) {
  const reply = await say(name, roundRequestBody(from, [], null, clocks()));
  if (reply.code === 200) answers[name].kind = roundReplyRead(reply.body, state.device, client.link.orgPublic).kind;
}

// Coding 1 with a promise of its own.
function deflated(payload, promised) {
  const bytes = zlib.deflateRawSync(payload, { dictionary: DICTIONARY, level: 9 });
  const head = new Writer().fixed([0xb7, 1, KIND.roundRequest, 1]).fixed(DICTIONARY_NAME).varint(promised);
  return Buffer.concat([head.done(), bytes]);
}

function flipped(body, bit) {
  const copy = Buffer.from(body);
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
}

async function proofs() {
  await say('good', idle());
  await say('bad hmac', idle(), (r) => { r.fields.Signature = `s=:${crypto.randomBytes(32).toString('base64')}:`; });
  await say('another body', idle(), (r) => { r.body = flipped(r.body, 60); });
  await say('no signature', idle(), (r) => { delete r.fields.Signature; });
  await say('unknown device', idle(), (r) => {
    r.fields['Signature-Input'] = r.fields['Signature-Input'].replace(/keyid="\d+"/, 'keyid="999"');
  });
  await say('another type', idle(), (r) => { r.fields['Content-Type'] = 'text/plain'; });
  const json = await say('as JSON', idle(), (r) => { r.fields.Accept = `${TYPE}+json`; });
  answers['as JSON'].kind = JSON.parse(json.body).kind;
  const used = client.session.nonce;
  await say('good again', idle());
  client.session.nonce = used;
  await say('used nonce', idle());
  client.session.nonce = answers['used nonce'].nonce;
  await say('unknown org', idle(), undefined, '/nobody/round');
  await say('unknown path', idle(), undefined, `/${client.link.org}/nothing`);
}

async function bodies() {
  const body = idle();
  await say('empty', Buffer.alloc(0));
  await say('noise', crypto.randomBytes(500));
  await say('truncated', body.subarray(0, body.length - 5));
  await say('wrong version', flipped(body, 9));
  await say('wrong coding', Buffer.concat([body.subarray(0, 3), Buffer.from([9]), body.subarray(4)]));
  await say('another dictionary',
    Buffer.concat([Buffer.from([0xb7, 1, KIND.roundRequest, 1, 1, 2, 3, 4, 10]), Buffer.alloc(10)]));
  await say('another kind', messageWrite(KIND.helloRequest, [[1, Buffer.alloc(60)]]));
  await say('bomb', deflated(Buffer.alloc(64 * MIB), 64 * MIB));
  await say('bomb that lies', deflated(Buffer.alloc(64 * MIB), 1000));
  for (let bit = 0; bit < body.length * 8; bit += 7) await say(`flip ${bit}`, flipped(body, bit));
}

async function pushes() {
  const batch = stamped([[1, [BigInt(account)]], [19, [1n]]]);
  let push = pushBody(batch);
  const chains = [state.lastChain, chainNext(state.lastChain, batchCanonical(batch))];
  for (let bit = idle().length * 8; bit < push.length * 8; bit += 31) {   // behind the head, which the push does not sign
    const reply = await say(`push flip ${bit}`, flipped(push, bit));
    if (reply.code !== 200) continue;          // another spelling of the same batch: then it is taken, and only once
    const m = roundReplyRead(reply.body, state.device, client.link.orgPublic);
    if (m.kind === 1) {                        // it spoke of more than the server has: another epoch
      client.enterEpoch(m);
      push = pushBody(batch);
      continue;
    }
    client.apply(m, [batch], chains, BigInt(Date.now()));
    if (state.lastBatch !== batch.number) throw new Error(`flip ${bit}: taken, but without a receipt`);
    break;
  }
  await say('gap', pushBody({ ...stamped([[1, [BigInt(account)]]]), number: state.lastBatch + 5 }));
  await say('unsigned', roundRequestBody(state, [stamped([[1, [BigInt(account)]]])], crypto.randomBytes(64), clocks()));
}

async function values() {
  const on = [1, [BigInt(account)]];
  await claim('a visit', [on, [19, [1n]]]);
  await claim('unknown entity', [[1, ['x']]], 99);
  await claim('unknown field', [on, [999, ['of tomorrow']]]);
  await claim('over the limit', [on, [7, ['x'.repeat(201)]]]);
  await claim('outside the enum', [on, [4, [77n]]]);
  await claim('two lines in one', [on, [7, ['a\nb']]]);
  await claim('not UTF-16 but number', [on, [7, [5n]]]);
  await claim('reference to nothing', [[1, [BigInt(account) + 123456n]]]);
  await claim('required is missing', [[19, [1n]]]);
}

if (!state.device) await client.enrol();
while (await client.round());
await proofs();
await pushes();
await values();
await bodies();                                // a flipped head may speak of another life of the log
while (await client.round());
await ahead('a position of nowhere', { ...state, cursor: { seq: 1n << 40n, chain: Buffer.alloc(16) } });
while (await client.round());
await say('good at the end', idle());
client.link.agent.destroy();
process.stdout.write(JSON.stringify(answers) + '\n');
