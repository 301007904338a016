// The console: one page over AWS's own API (/v2) and a small one of its own (/console/api).
//
// Everything that came over the wire or from a file is shown as text. No string becomes markup or code anywhere below;
// `require-trusted-types-for` holds the browser to that, and a test holds this file to it.
//
// Sections: text, JSON, elements, calls, stream, state, frame, dialogs, tables, and one for each page.
'use strict';
(() => {

// ---------------------------------------------------------------------------------------------------------------------
// Theme, before the first paint
// ---------------------------------------------------------------------------------------------------------------------

const THEMES = ['system', 'light', 'dark'];

function savedTheme() {
  try {
    const saved = localStorage.getItem('theme');
    return THEMES.includes(saved) ? saved : 'system';
  } catch {
    return 'system';
  }
}

let theme = savedTheme();
document.documentElement.dataset.theme = theme;

// ---------------------------------------------------------------------------------------------------------------------
// Text: what data may look like
// ---------------------------------------------------------------------------------------------------------------------

/** What is not seen, or moves what is seen: controls, formats (bidirectional, zero-width), separators, lone surrogates. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;
const UNSEEN_IN_LINES = /(?:(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}])+/gu;
/** Characters of a value that are shown at first. */
const FOLD = 400;
/** The same of a body. */
const FOLD_BODY = 8000;

const hex = (number, width) => number.toString(16).padStart(width, '0');

/** One character as a picture or an escape. */
function picture(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  // A byte that is not UTF-8, as textOfBytes writes it.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00, 2)}`;
  if (code >= 0xd800 && code <= 0xdfff) {
    return [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f].map(byte => `\\x${hex(byte, 2)}`).join('');
  }
  return `\\u{${hex(code, 4)}}`;
}

const pictures = run => Array.from(run, picture).join('');

/** Data for a place that takes plain text only: a name, a title. */
function plain(value, limit = FOLD) {
  const text = String(value ?? '');
  const short = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return short.replace(UNSEEN, pictures);
}

/** Data as nodes: what is not seen becomes a marked picture. */
function pieces(text, pattern) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(pattern)) {
    if (found.index > end) nodes.push(text.slice(end, found.index));
    nodes.push(el('span', {class: 'esc', title: 'A character that is not seen'}, pictures(found[0])));
    end = found.index + found[0].length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

/** Data as a fragment; what is long is folded. */
function data(value, {lines = false, limit = lines ? FOLD_BODY : FOLD} = {}) {
  const text = String(value ?? '');
  const pattern = lines ? UNSEEN_IN_LINES : UNSEEN;
  const fragment = document.createDocumentFragment();
  if (/^«redacted, [^»]*»$/.test(text)) {
    fragment.append(el('span', {class: 'redacted'}, text));
    return fragment;
  }
  let end = Math.min(limit, text.length);
  // Half of a pair would look like a lone surrogate.
  if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1])) end += 1;
  fragment.append(...pieces(text.slice(0, end), pattern));
  if (end < text.length) {
    const rest = text.slice(end);
    const more = el('button', {type: 'button', class: 'fold', on: {click: event => {
      event.stopPropagation();
      more.replaceWith(...pieces(rest, pattern));
    }}}, `show ${count(rest.length)} more`);
    fragment.append(more);
  }
  return fragment;
}

/** The beginning of data, for a link or a row; what is opened by it shows the whole. */
function clipped(value, limit) {
  const text = String(value ?? '');
  if (text.length <= limit) return data(text);
  const fragment = data(text.slice(0, limit), {limit: Infinity});
  fragment.append(el('span', {class: 'more', title: 'The whole is shown where it is opened'}, `… ${count(text.length - limit)} more`));
  return fragment;
}

/** A URL or a path, which may be broken behind its slashes. */
function broken(text) {
  if (text.length > FOLD) return data(text);
  const parts = text.split(/(?<=[/?&])(?=[^/?&])/);
  return parts.map((part, index) => [index > 0 ? el('wbr') : null, data(part)]);
}

/** Bytes as text. What is not UTF-8 becomes lone surrogates, which are shown as `\xff`. */
function textOfBytes(bytes) {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch {
    // Byte by byte, below.
  }
  const decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at];
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    try {
      text += decoder.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      text += String.fromCharCode(0xdc00 + first);
      at += 1;
    }
  }
  return text;
}

const bytesOfBase64 = base64 => Uint8Array.from(atob(base64), character => character.charCodeAt(0));
const bytesOfText = text => new TextEncoder().encode(text);

const numbers = new Intl.NumberFormat('en-US');
const count = number => numbers.format(number);
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const calendar = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'long', hourCycle: 'h23'});
const zoneName = new Intl.DateTimeFormat('en-US', {timeZoneName: 'short'}).formatToParts().find(part => part.type === 'timeZoneName')?.value ?? '';

/** A time of the API: an ISO text, or seconds or milliseconds since 1970. */
function dateOf(value) {
  const date = new Date(typeof value === 'number' && value < 1e11 ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** A time as an element: local, with ISO as its title. */
function time(value, {long = false} = {}) {
  const date = value === undefined || value === null ? null : dateOf(value);
  if (!date) return el('span', {class: 'soft'}, '–');
  const text = long ? calendar.format(date) : clock.format(date);
  return el('time', {datetime: date.toISOString(), title: date.toISOString()}, text);
}

/** Milliseconds with three digits that count. */
function ms(value) {
  if (value === undefined || value === null) return '–';
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toLocaleString('en-US', {minimumFractionDigits: digits, maximumFractionDigits: digits})} ms`;
}

const msOfMicros = micros => `${(micros / 1000).toFixed(micros < 10_000 ? 2 : 1)} ms`;

function bytesText(value) {
  return value === undefined || value === null ? '–' : `${count(value)} B`;
}

const REASONS = {
  200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 206: 'Partial Content', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other',
  304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden',
  404: 'Not Found', 405: 'Method Not Allowed', 408: 'Request Timeout', 409: 'Conflict', 413: 'Content Too Large', 414: 'URI Too Long',
  415: 'Unsupported Media Type', 422: 'Unprocessable Content', 429: 'Too Many Requests', 431: 'Request Header Fields Too Large',
  500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
};

// ---------------------------------------------------------------------------------------------------------------------
// JSON as it is written: order, numbers and doubled members stay
// ---------------------------------------------------------------------------------------------------------------------

const JSON_TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;
const JSON_DEPTH = 200;

/** A tree whose leaves are the text's own words. Throws where it is not JSON. */
function readJson(text) {
  let at = 0;
  const wrong = () => {
    const before = text.slice(0, at).split('\n');
    return new SyntaxError(`not JSON at line ${before.length}, column ${before.at(-1).length + 1}`);
  };
  const next = () => {
    JSON_TOKEN.lastIndex = at;
    const found = JSON_TOKEN.exec(text);
    if (!found) throw wrong();
    at = JSON_TOKEN.lastIndex;
    return found;
  };
  const value = (token, depth) => {
    if (depth > JSON_DEPTH) throw new SyntaxError(`JSON nested deeper than ${JSON_DEPTH} levels`);
    const [, mark, string, word] = token;
    if (string !== undefined || word !== undefined) return {raw: string ?? word};
    if (mark !== '{' && mark !== '[') throw wrong();
    const close = mark === '{' ? '}' : ']';
    const children = [];
    let item = next();
    if (item[1] === close) return {mark, children};
    for (;;) {
      let key = null;
      if (mark === '{') {
        if (item[2] === undefined || next()[1] !== ':') throw wrong();
        key = item[2];
        item = next();
      }
      children.push({key, node: value(item, depth + 1)});
      const after = next()[1];
      if (after === close) return {mark, children};
      if (after !== ',') throw wrong();
      item = next();
    }
  };
  const tree = value(next(), 0);
  if (/[^ \t\n\r]/.test(text.slice(at))) throw wrong();
  return tree;
}

function printJson(node, indent = '') {
  if (node.raw !== undefined) return node.raw;
  const close = node.mark === '{' ? '}' : ']';
  if (node.children.length === 0) return node.mark + close;
  const inner = `${indent}  `;
  const lines = node.children.map(child => `${inner}${child.key === null ? '' : `${child.key}: `}${printJson(child.node, inner)}`);
  return `${node.mark}\n${lines.join(',\n')}\n${indent}${close}`;
}

/** The text with line ends and indents, or none where it is not JSON. */
function indented(text) {
  try {
    return printJson(readJson(text));
  } catch {
    return null;
  }
}

const upperFirst = text => text.charAt(0).toUpperCase() + text.slice(1);
const lowerFirst = text => text.charAt(0).toLowerCase() + text.slice(1);
/** Members whose own members are data and keep their names. */
const MAPS = new Set(['requestParameters', 'responseParameters', 'stageVariables', 'tags', 'routeSettings']);

/** The names of a resource's members as files and the AWS CLI write them, or as the wire does. */
function renamed(node, change) {
  if (node.raw !== undefined) return node;
  const children = node.children.map(child => {
    if (child.key === null) return {key: null, node: renamed(child.node, change)};
    const name = JSON.parse(child.key);
    let below = child.node;
    if (lowerFirst(name) === 'routeSettings' && below.mark) {
      below = {mark: below.mark, children: below.children.map(one => ({key: one.key, node: renamed(one.node, change)}))};
    } else if (!MAPS.has(lowerFirst(name))) {
      below = renamed(below, change);
    }
    return {key: JSON.stringify(change(name)), node: below};
  });
  return {mark: node.mark, children};
}

// ---------------------------------------------------------------------------------------------------------------------
// Elements
// ---------------------------------------------------------------------------------------------------------------------

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const el = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/** A segment of a path; ids of requests end in `=`, which may stand there. */
const label = text => encodeURIComponent(text).replace(/%3D/g, '=').replace(/%24/g, '$');

/** A link to a page of the console. */
const link = (parts, ...children) => el('a', {href: `#/${parts.map(label).join('/')}`}, ...children);

/** A URL of http or https, rebuilt; none for all else. */
function webUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : null;
  } catch {
    return null;
  }
}

let lastId = 0;
const newId = prefix => `${prefix}-${lastId += 1}`;

function button(text, listener, attributes) {
  return el('button', {type: 'button', ...attributes, on: {click: listener}}, text);
}

/** Status of an answer: a figure, and a shape beside its colour. */
function statusMark(status, state) {
  if (!status) return el('span', {class: 's s0'}, state === 'pending' ? 'pending' : '–');
  return el('span', {class: `s s${Math.floor(status / 100)}`, title: REASONS[status] ?? null}, String(status));
}

function facts(pairs, attributes) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return el('dl', {class: 'facts', ...attributes}, shown.map(([name, value]) => [
    el('dt', null, name), el('dd', null, typeof value === 'string' || typeof value === 'number' ? data(value) : value)]));
}

// ---------------------------------------------------------------------------------------------------------------------
// Calls
// ---------------------------------------------------------------------------------------------------------------------

/** A call that was answered by a refusal. */
class Refusal extends Error {
  constructor(status, text, type) {
    super(text);
    this.status = status;
    this.type = type;
  }
}

/** The administrator's key where calls are signed; in memory, and gone with the page. */
let key = null;
/** What the clock of the gateway is ahead of that here, in ms. */
let skew = 0;

async function hmac(secret, text) {
  const imported = await crypto.subtle.importKey('raw', secret, {name: 'HMAC', hash: 'SHA-256'}, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytesOfText(text)));
}

const hexOf = bytes => Array.from(bytes, byte => hex(byte, 2)).join('');
const sha256 = async bytes => hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
const strict = text => encodeURIComponent(text).replace(/[!'()*]/g, character => `%${hex(character.charCodeAt(0), 2).toUpperCase()}`);

/** The header fields of a Signature Version 4 for the service apigateway. */
async function signature(method, url, content) {
  const date = new Date(Date.now() + skew).toISOString().replace(/[-:]|\.\d+/g, '');
  const [day, region] = [date.slice(0, 8), 'us-east-1'];
  const hash = await sha256(bytesOfText(content ?? ''));
  const fields = {host: url.host, 'x-amz-content-sha256': hash, 'x-amz-date': date};
  const names = Object.keys(fields).join(';');
  const query = Array.from(url.searchParams, ([name, value]) => `${strict(name)}=${strict(value)}`).sort().join('&');
  const path = url.pathname.split('/').map(strict).join('/');
  const head = Object.entries(fields).map(([name, value]) => `${name}:${value}\n`).join('');
  const canonical = [method, path, query, head, names, hash].join('\n');
  const scope = `${day}/${region}/apigateway/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, await sha256(bytesOfText(canonical))].join('\n');
  let derived = bytesOfText(`AWS4${key.secret}`);
  for (const part of [day, region, 'apigateway', 'aws4_request', toSign]) derived = await hmac(derived, part);
  return {
    'x-amz-date': date,
    'x-amz-content-sha256': hash,
    authorization: `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names}, Signature=${hexOf(derived)}`,
  };
}

const OF_SIGNATURES = /MissingAuthenticationToken|UnrecognizedClient|InvalidSignature|AccessDenied|IncompleteSignature/;

async function send(method, path, {content, fields = {}, signal} = {}) {
  const url = new URL(path, location.origin);
  const headers = {...fields};
  if (content !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET' && url.pathname.startsWith('/console/api/')) headers['x-apigateway-console'] = '1';
  if (key) Object.assign(headers, await signature(method, url, content));
  const answer = await fetch(url, {method, headers, body: content, signal, cache: 'no-store', credentials: 'omit', redirect: 'error'});
  const theirs = Date.parse(answer.headers.get('date') ?? '');
  if (Math.abs(theirs - Date.now()) > 30_000) skew = theirs - Date.now();
  if (answer.ok) return answer;
  const text = await answer.text();
  let said = null;
  try {
    said = JSON.parse(text);
  } catch {
    // A text that is not JSON is shown as it is.
  }
  const type = answer.headers.get('x-amzn-errortype') ?? said?.__type ?? '';
  throw new Refusal(answer.status, String(said?.message ?? said?.Message ?? (text || `${answer.status} ${REASONS[answer.status] ?? ''}`)), type);
}

/** As `send`, asking for a key where calls are signed. */
async function signedSend(method, path, more) {
  for (;;) {
    const used = key;
    try {
      return await send(method, path, more);
    } catch (refusal) {
      if (!(refusal instanceof Refusal) || refusal.status !== 403 || !OF_SIGNATURES.test(refusal.type)) throw refusal;
      // Another call may have asked meanwhile.
      if (used === key && !(await askForKey(used ? refusal.message : null))) throw refusal;
    }
  }
}

async function call(method, path, body, {text = false, signal} = {}) {
  const content = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await signedSend(method, path, {content, signal});
  const said = await answer.text();
  if (text) return said;
  return said === '' ? null : JSON.parse(said);
}

const path = (...parts) => `/${parts.map(label).join('/')}`;
const v2 = (...parts) => path('v2', ...parts);
const own = (...parts) => path('console', 'api', ...parts);

/** What went wrong, in a sentence. A browser says of a call that nobody answers that it is a TypeError, with words of its own. */
function refusalText(error) {
  if (error instanceof Refusal) return error.message;
  if (error?.name === 'AbortError') return 'Given up';
  if (error?.name === 'TypeError' && /fetch|network/i.test(error.message)) return 'The gateway does not answer';
  console.error(error);
  return `The page failed: ${error?.message ?? error}`;
}

/** All items of a list of `/v2`. */
const listOf = async (...parts) => (await call('GET', v2(...parts)))?.items ?? [];

// ---------------------------------------------------------------------------------------------------------------------
// State
// ---------------------------------------------------------------------------------------------------------------------

/** Requests that the gateway keeps, and the page too. */
const RING = 200;

const state = {
  overview: null,
  /** Summaries, newest first. */
  requests: [],
  byId: new Map(),
  problems: [],
  isOlder: false,
  filter: '',
  isPaused: false,
  /** Requests that came too fast to be told one by one. */
  skipped: 0,
};

const canChange = () => state.overview?.controlPlane !== 'off';
const apiOf = id => state.overview?.apis?.find(api => api.apiId === id);
const apiName = id => plain(apiOf(id)?.name || id, 80);

async function loadOverview() {
  state.overview = await call('GET', own('overview'));
  renderFrame();
  return state.overview;
}

/** Asks for the problems; whether they are others than before. */
async function loadProblems() {
  const said = await call('GET', own('problems'));
  const before = JSON.stringify([state.problems, state.isOlder]);
  state.problems = said?.problems ?? [];
  state.isOlder = said?.serving === true;
  renderFrame();
  return JSON.stringify([state.problems, state.isOlder]) !== before;
}

/** The first time. A page waits for it, so that it is drawn once. */
let firstProblems = null;
const knowProblems = () => firstProblems ??= loadProblems().catch(() => false);

function putRequest(summary) {
  summary.heardAt = performance.now();
  const known = state.byId.get(summary.requestId);
  if (known) {
    // The end of a request may be told before its begin is read from a list.
    if (!(known.state === 'done' && summary.state === 'pending')) Object.assign(known, summary, {version: (known.version ?? 0) + 1});
    return;
  }
  state.byId.set(summary.requestId, summary);
  const date = dateOf(summary.time)?.getTime() ?? 0;
  const at = state.requests.findIndex(other => (dateOf(other.time)?.getTime() ?? 0) <= date);
  state.requests.splice(at < 0 ? state.requests.length : at, 0, summary);
  while (state.requests.length > RING) state.byId.delete(state.requests.pop().requestId);
}

async function loadRequests() {
  const asked = performance.now();
  const said = await call('GET', `${own('requests')}?limit=${RING}`);
  const list = Array.isArray(said) ? said : said?.requests ?? [];
  const kept = new Set(list.map(summary => summary.requestId));
  // What was told meanwhile need not be in the list.
  for (const summary of state.requests) if (summary.heardAt > asked) kept.add(summary.requestId);
  state.requests = state.requests.filter(summary => kept.has(summary.requestId));
  for (const id of [...state.byId.keys()]) if (!kept.has(id)) state.byId.delete(id);
  for (const summary of [...list].reverse()) putRequest(summary);
  page.on?.requests?.();
}

// ---------------------------------------------------------------------------------------------------------------------
// Stream
// ---------------------------------------------------------------------------------------------------------------------

const stream = {state: 'opening', wait: 0, leads: false, lastEventId: '', refusal: ''};
/** One page of a browser reads the stream and tells the others. */
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('apigateway-console') : null;
/** A comment comes every 15 s. */
const SILENCE = 45_000;
const LONGEST_WAIT = 15_000;

const pause = time => new Promise(resolve => { setTimeout(resolve, time); });

function tellStream(now, wait = 0) {
  const before = stream.state;
  Object.assign(stream, {state: now, wait});
  if (stream.leads) channel?.postMessage({stream: now, wait});
  if (now === 'broken' && before !== 'broken') announce('The stream of events broke. It is opened again.');
  if (now === 'open' && before === 'broken') announce('The stream of events is open again.');
  if (now === 'open') complete();
  renderBars();
}

/** What was missed while no stream was open. */
async function complete() {
  try {
    const [, isOther] = await Promise.all([loadRequests(), loadProblems()]);
    if (isOther) page.on?.problems?.();
  } catch {
    // The stream will tell that nobody answers.
  }
}

async function readStream() {
  const control = new AbortController();
  let silence = 0;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => control.abort(), SILENCE);
  };
  try {
    const fields = {accept: 'text/event-stream', ...stream.lastEventId && {'last-event-id': stream.lastEventId}};
    const answer = await signedSend('GET', own('events'), {fields, signal: control.signal});
    heard();
    tellStream('open');
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      heard();
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop();
      if (rest.length > 1_000_000) return;
      for (const event of events) take(event);
    }
  } finally {
    clearTimeout(silence);
    control.abort();
  }
}

function take(text) {
  let name = 'message';
  const lines = [];
  for (const line of text.split(/\r?\n/)) {
    const [, field, value] = /^([a-z]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') name = value;
    if (field === 'data') lines.push(value);
    if (field === 'id') stream.lastEventId = value;
  }
  if (lines.length === 0) return;
  try {
    const said = JSON.parse(lines.join('\n'));
    channel?.postMessage({event: name, said});
    happened(name, said);
  } catch {
    // An event that is not JSON is none of ours.
  }
}

async function leadStream() {
  stream.leads = true;
  for (let wait = 1000; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    const began = Date.now();
    stream.refusal = '';
    try {
      await readStream();
    } catch (error) {
      // As where it ends; but a ninth page is told that there are eight.
      if (error instanceof Refusal) stream.refusal = error.message;
    }
    if (stream.state === 'open' && Date.now() - began > 1000) wait = 1000;
    tellStream('broken', wait);
    await pause(wait);
  }
}

function startStream() {
  if (channel) {
    channel.onmessage = ({data: said}) => {
      if (said.ask && stream.leads) channel.postMessage({stream: stream.state, wait: stream.wait});
      else if (said.stream && !stream.leads) tellStream(said.stream, said.wait);
      else if (said.event && !stream.leads) happened(said.event, said.said);
    };
  }
  // Locks are there on this machine and with HTTPS; elsewhere each page reads for itself.
  if (channel && navigator.locks) {
    channel.postMessage({ask: true});
    navigator.locks.request('apigateway-console-stream', leadStream);
  } else {
    leadStream();
  }
}

/** Calls `work` at once, then at most once in `gap` ms however often it is asked for. */
function sparing(gap, work) {
  let waits = false;
  let again = false;
  const run = () => {
    if (waits) {
      again = true;
      return;
    }
    waits = true;
    work();
    setTimeout(() => {
      waits = false;
      if (again) {
        again = false;
        run();
      }
    }, gap);
  };
  return run;
}

/** Calls `work` with the next frame, or a little later where a page that is not seen has no frames. */
function soon(work) {
  let isDone = false;
  const once = () => {
    if (!isDone) work();
    isDone = true;
  };
  requestAnimationFrame(once);
  setTimeout(once, 300);
}

const reloadRequests = sparing(1000, () => loadRequests().catch(() => {}));
const reloadConfiguration = sparing(500, () => {
  loadOverview().then(() => page.on?.deployment?.()).catch(() => {});
});

function happened(name, said) {
  if (name === 'request') {
    putRequest(said);
    page.on?.requests?.(said);
  } else if (name === 'burst' || name === 'dropped') {
    state.skipped += Number(said?.burst ?? said?.dropped) || 0;
    reloadRequests();
  } else if (name === 'deployment') {
    reloadConfiguration();
  } else if (name === 'problems') {
    loadProblems().then(isOther => isOther && page.on?.problems?.()).catch(() => {});
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Frame: what stands around every page
// ---------------------------------------------------------------------------------------------------------------------

const byId = id => document.getElementById(id);
let fading = 0;

/** Says what happened, to eyes and to readers. */
function announce(text) {
  const status = byId('status');
  status.classList.remove('gone');
  status.replaceChildren(el('span', null, plain(text)));
  clearTimeout(fading);
  fading = setTimeout(() => status.classList.add('gone'), 8000);
}

const THEME_SHAPES = {
  system: ['M8 1.5a6.5 6.5 0 0 0 0 13z', 'M8 1.5a6.5 6.5 0 0 1 0 13'],
  light: ['M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z', 'M8 .5v2M8 13.5v2M.5 8h2M13.5 8h2M2.7 2.7l1.4 1.4M11.9 11.9l1.4 1.4M2.7 13.3l1.4-1.4M11.9 4.1l1.4-1.4'],
  dark: ['M13.5 10A6 6 0 0 1 6 2.5a6 6 0 1 0 7.5 7.5z'],
};

function renderTheme() {
  document.documentElement.dataset.theme = theme;
  const [solid, ...strokes] = THEME_SHAPES[theme];
  byId('theme').title = `Theme: ${theme}`;
  byId('theme').replaceChildren(
    svg('svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'},
      svg('path', {d: solid, fill: 'currentColor'}),
      strokes.map(d => svg('path', {d, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.5}))),
    'Theme');
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem('theme', theme);
  } catch {
    // It holds for this page only.
  }
  renderTheme();
  announce(`Theme: ${theme}`);
}

function renderFrame() {
  const {overview, problems} = state;
  const where = byId('where');
  where.replaceChildren();
  if (overview) {
    where.append(el('span', {title: 'Where APIs are served'}, plain(overview.dataPlane ?? '')));
    where.append(el('span', {title: `AWS region. Account ${plain(overview.accountId ?? '')}. Version ${plain(overview.version ?? '')}`}, plain(overview.region ?? '')));
  }
  const links = document.querySelectorAll('#sections a');
  const last = links[links.length - 1];
  const number = problems.length;
  last.replaceChildren(el('span', null, 'Problems', number > 0 ? el('span', {class: 'heard'}, `, ${number}`) : null));
  if (number > 0) last.append(el('span', {class: 'count', 'aria-hidden': 'true'}, count(number)));
  renderBars();
}

const capturesSecrets = () => {
  const capture = state.overview?.capture;
  return capture?.secrets === true || state.overview?.captureSecrets === true;
};

function renderBars() {
  const bars = [];
  if (stream.state === 'broken') {
    bars.push(el('p', {class: 'bar'}, `Not live: ${stream.refusal ? plain(stream.refusal) : 'the stream of events broke'}. It is opened again in ${Math.round(stream.wait / 1000)} s.`));
  }
  if (state.isOlder) {
    bars.push(el('p', {class: 'bar'}, 'Older files are being served: those on the disk have errors. ', link(['problems'], 'See the problems')));
  }
  if (capturesSecrets()) {
    bars.push(el('p', {class: 'bar'}, 'Secrets are captured and shown: the gateway runs with --capture-secrets.'));
  }
  byId('bars').replaceChildren(...bars);
}

/** Why buttons that change something are not here. */
function offNote() {
  return canChange() ? null : el('p', {class: 'bar'}, 'The control plane is off (--control-plane off): all can be looked at, nothing changed.');
}

// ---------------------------------------------------------------------------------------------------------------------
// Dialogs and forms
// ---------------------------------------------------------------------------------------------------------------------

const FOCUSABLE = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), [tabindex="0"]';

/** Opens a dialog over the page, and gives the focus back to where it was. */
function openDialog(title, ...content) {
  const before = document.activeElement;
  const name = before && accessibleText(before);
  const id = newId('title');
  const dialog = el('dialog', {'aria-labelledby': id}, el('h2', {id}, plain(title)), content);
  dialog.addEventListener('keydown', event => {
    if (event.key !== 'Tab') return;
    const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter(element => element.getClientRects().length > 0 && element.tabIndex >= 0);
    const [first, last] = [stops[0], stops.at(-1)];
    if (event.shiftKey && document.activeElement === first) {
      last.focus();
      event.preventDefault();
    } else if (!event.shiftKey && document.activeElement === last) {
      first.focus();
      event.preventDefault();
    }
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (before?.isConnected && before !== document.body) before.focus();
    else if (!document.activeElement || document.activeElement === document.body) focusPage(name);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Moves the focus to what stands for a control that was drawn anew. */
function focusPage(wanted) {
  const found = wanted && [...byId('page').querySelectorAll('button, a')].find(element => accessibleText(element) === wanted);
  (found || byId('page').querySelector('h1'))?.focus();
}

const accessibleText = element => element.getAttribute('aria-label') ?? element.textContent.trim();

/** What a control is, to find what stands for it in a page that was drawn anew. */
function nameOf(element) {
  if (element.matches('tr')) return `row ${[...element.cells].slice(0, 3).map(cell => cell.textContent).join(' ')}`;
  return `${element.tagName} ${element.id && element.labels?.[0] ? element.labels[0].textContent : accessibleText(element)}`;
}

/** One control of a form with its label, its hint and a place for what is wrong with it. */
function field(spec) {
  const id = newId('field');
  const notes = `${id}-hint ${id}-error`;
  const common = {id, name: spec.name, 'aria-describedby': notes, required: spec.required, autocomplete: 'off', spellcheck: 'false', 'data-key': spec.key};
  let control;
  if (spec.kind === 'select') {
    control = el('select', common, spec.options.map(option => {
      const [value, text] = Array.isArray(option) ? option : [option, option];
      return el('option', {value, selected: value === spec.value}, plain(text, 100));
    }));
  } else if (spec.kind === 'area') {
    control = el('textarea', {...common, rows: spec.rows ?? 4});
    control.value = spec.value ?? '';
  } else if (spec.kind === 'check') {
    control = el('input', {...common, type: 'checkbox', checked: spec.value === true});
  } else {
    control = el('input', {...common, type: spec.kind ?? 'text', maxlength: spec.most, min: spec.least, step: spec.step, placeholder: spec.placeholder, inputmode: spec.inputmode});
    control.value = spec.value ?? '';
  }
  const error = el('p', {class: 'error', id: `${id}-error`, hidden: true});
  const hint = el('p', {class: 'hint', id: `${id}-hint`, hidden: !spec.hint && !spec.tell}, spec.hint);
  const whole = spec.kind === 'check'
    ? el('div', {class: 'field'}, el('label', {class: 'check', for: id}, control, spec.label), hint, error)
    : el('div', {class: 'field'}, el('label', {for: id}, spec.label), control, hint, error);
  return {
    spec, whole, control, hint,
    get value() {
      return spec.kind === 'check' ? control.checked : control.value;
    },
    say(text) {
      error.replaceChildren(text ? data(text) : '');
      error.hidden = !text;
      if (text) control.setAttribute('aria-invalid', 'true');
      else control.removeAttribute('aria-invalid');
    },
  };
}

/** A form of fields. `save` gets their values; what it throws stands at the field that it is about. */
function form({fields, submit, save, cancel, extra, attributes, danger, changed}) {
  const all = specs => specs.flatMap(spec => Array.isArray(spec) ? all(spec) : spec.group ? all(spec.fields) : spec.name ? [spec] : []);
  const controls = all(fields).map(field);
  const of = Object.fromEntries(controls.map(control => [control.spec.name, control]));
  const values = () => Object.fromEntries(controls.map(control => [control.spec.name, control.value]));
  const general = el('p', {class: 'error', role: 'alert', hidden: true});
  const send = el('button', {type: 'submit', class: danger ? 'danger' : 'main'}, submit);
  const laid = specs => specs.map(spec => {
    if (Array.isArray(spec)) return el('div', {class: 'pair'}, laid(spec));
    if (spec.group) return el('fieldset', null, el('legend', null, spec.group), laid(spec.fields));
    return spec.name ? of[spec.name].whole : spec.node;
  });
  const element = el('form', {class: 'form', novalidate: true, ...attributes}, general, laid(fields), extra,
    el('div', {class: 'buttons'}, cancel ? button('Cancel', cancel) : null, send));
  const look = () => {
    const now = values();
    for (const control of controls) {
      if (control.spec.when) control.whole.hidden = !control.spec.when(now);
      if (control.spec.enabled) control.control.disabled = !control.spec.enabled(now);
      if (control.spec.tell) control.hint.replaceChildren(...[control.spec.tell(now)].flat());
    }
    changed?.(now, {send});
  };
  element.addEventListener('input', event => {
    controls.find(control => control.control === event.target)?.say('');
    look();
  });
  const fail = (text, name) => {
    const about = of[name]
      ?? controls.find(control => control.spec.member?.some(member => new RegExp(`^${member}\\b`, 'i').test(text)))
      ?? controls.find(control => control.spec.about?.test(text))
      ?? controls.find(control => control.spec.isMain);
    if (about && !about.whole.hidden) {
      about.say(text);
      about.control.focus();
    } else {
      general.replaceChildren(data(text));
      general.hidden = false;
    }
  };
  element.addEventListener('submit', async event => {
    event.preventDefault();
    general.hidden = true;
    for (const control of controls) control.say('');
    const missing = controls.find(control => control.spec.required && !control.whole.hidden && String(control.value).trim() === '');
    if (missing) {
      fail(`${missing.spec.label} is needed`, missing.spec.name);
      return;
    }
    send.disabled = true;
    try {
      await save(values());
    } catch (error) {
      fail(error instanceof FieldError || error instanceof SyntaxError ? error.message : refusalText(error), error.field);
    } finally {
      send.disabled = false;
      look();
    }
  });
  look();
  return {element, of, values, send};
}

/** Something is wrong with a field before any call. */
class FieldError extends Error {
  constructor(name, text) {
    super(text);
    this.field = name;
  }
}

/** A form in a dialog; with `json`, also the object as AWS prints it. Resolves once it is saved or given up. */
function formDialog({title, json, after, ...spec}) {
  return new Promise(resolve => {
    let result = null;
    const done = save => async values => {
      result = await save(values) ?? true;
      dialog.close();
    };
    const cancel = () => dialog.close();
    const main = form({...spec, save: done(spec.save), cancel});
    let body = main.element;
    if (json) {
      const area = {name: 'json', label: 'JSON', kind: 'area', rows: 16, value: json.text, hint: 'All members, as files and the AWS CLI write them.', isMain: true};
      const other = form({fields: [area], submit: spec.submit, save: done(values => json.save(values.json)), cancel});
      body = tabs(title, [['Form', main.element], ['JSON', other.element]]);
    }
    const dialog = openDialog(title, body);
    dialog.addEventListener('close', () => resolve(result));
    ([...dialog.querySelectorAll('input, select, textarea')].find(control => control.getClientRects().length > 0) ?? main.send).focus();
  });
}

/** Asks before something is taken away. */
function askToDelete(title, text, work) {
  return new Promise(resolve => {
    let result = null;
    const wrong = el('p', {class: 'error', role: 'alert', hidden: true});
    const yes = button('Delete', async () => {
      yes.disabled = true;
      try {
        await work();
        result = true;
        dialog.close();
      } catch (error) {
        wrong.replaceChildren(data(refusalText(error)));
        wrong.hidden = false;
        yes.disabled = false;
      }
    }, {class: 'danger'});
    const no = button('Cancel', () => dialog.close());
    const dialog = openDialog(title, el('div', {class: 'form'}, text ? el('p', null, text) : null, wrong, el('div', {class: 'buttons'}, no, yes)));
    dialog.addEventListener('close', () => resolve(result));
    no.focus();
  });
}

let asking = null;

/** Asks for an administrator's key. */
function askForKey(wrong) {
  if (!window.crypto?.subtle) {
    if (!asking) {
      const here = plain(location.hostname);
      asking = new Promise(() => {});
      openDialog('Calls are signed here', el('div', {class: 'form'},
        el('p', null, 'A browser signs only on a page of this machine or of HTTPS, and this page came by plain HTTP from another machine. Open a tunnel and use the page through it:'),
        el('pre', null, `ssh -L ${plain(location.port || '8001')}:127.0.0.1:${plain(location.port || '8001')} ${here}`)));
    }
    return Promise.resolve(false);
  }
  asking ??= formDialog({
    title: 'Sign in',
    fields: [
      {node: el('p', null, 'Calls to this gateway are signed. The key of an administrator of credentials.json is kept in the memory of this page only.')},
      {name: 'id', label: 'Access key id', required: true, isMain: true},
      {name: 'secret', label: 'Secret access key', kind: 'password', required: true},
      ...wrong ? [{node: el('p', {class: 'error', role: 'alert'}, plain(wrong))}] : [],
    ],
    submit: 'Sign in',
    save: async values => {
      key = {id: values.id.trim(), secret: values.secret.trim()};
    },
  }).finally(() => { asking = null; });
  return asking;
}

/** Puts a text on the clipboard, or into a dialog where a page may not. */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied`);
  } catch {
    const area = el('textarea', {rows: 14, readonly: true, 'aria-label': what});
    area.value = text;
    const dialog = openDialog(`Copy ${what}`, el('div', {class: 'form'}, el('p', {class: 'hint'}, 'The browser does not let this page copy. The text is selected.'), area,
      el('div', {class: 'buttons'}, button('Close', () => dialog.close()))));
    area.focus();
    area.select();
  }
}

/** A row of tabs and their panels; the arrow keys move between them. */
function tabs(name, parts, first = 0, moved) {
  const list = el('div', {role: 'tablist', 'aria-label': plain(name)});
  const panels = parts.map(([, content]) => el('div', {role: 'tabpanel', id: newId('panel')}, content));
  const heads = parts.map(([title], index) => {
    const head = el('button', {type: 'button', role: 'tab', id: newId('tab'), 'aria-controls': panels[index].id, on: {click: () => choose(index)}}, title);
    panels[index].setAttribute('aria-labelledby', head.id);
    return head;
  });
  const choose = chosen => {
    heads.forEach((head, index) => {
      head.setAttribute('aria-selected', String(index === chosen));
      head.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    moved?.(parts[chosen][0]);
  };
  list.addEventListener('keydown', event => {
    const at = heads.indexOf(document.activeElement);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1}[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const index = (to + heads.length) % heads.length;
    choose(index);
    heads[index].focus();
  });
  list.append(...heads);
  choose(first);
  return el('div', null, list, panels);
}

// ---------------------------------------------------------------------------------------------------------------------
// Tables
// ---------------------------------------------------------------------------------------------------------------------

/** A table that scrolls in itself. Columns are `[name, class]`, or elements of heads. */
function table(name, columns, attributes) {
  const body = el('tbody');
  const heads = columns.map(column => {
    if (column instanceof Node) return column;
    const [text, kind] = Array.isArray(column) ? column : [column];
    return text === '' ? el('td', {class: kind}) : el('th', {scope: 'col', class: kind}, text);
  });
  const whole = el('table', {'aria-label': plain(name), class: columns.length > 5 ? 'wide' : null, ...attributes}, el('thead', null, el('tr', null, heads)), body);
  return {whole: el('div', {class: 'scroll'}, whole), table: whole, body, heads};
}

/** One row of a table has a stop of the Tab key; the arrow keys move between rows, Enter opens. */
function walk(body, open) {
  const rows = () => [...body.rows].filter(row => row.hasAttribute('tabindex'));
  const settle = chosen => {
    for (const row of rows()) setStop(row, row === chosen);
  };
  body.addEventListener('focusin', event => {
    const row = event.target.closest('tr');
    if (row && row.tabIndex !== 0) settle(row);
  });
  body.addEventListener('keydown', event => {
    const row = event.target.closest('tr');
    if (!row) return;
    if (event.key === 'Enter' && event.target === row) {
      event.preventDefault();
      open?.(row);
      return;
    }
    const list = rows();
    const at = list.indexOf(row);
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: list.length - 1, PageDown: at + 10, PageUp: at - 10}[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    list[Math.max(0, Math.min(list.length - 1, to))]?.focus();
  });
  body.addEventListener('click', event => {
    const row = event.target.closest('tr[tabindex]');
    if (row && !event.target.closest('a, button') && String(getSelection()) === '') open?.(row);
  });
}

function setStop(row, stops) {
  row.tabIndex = stops ? 0 : -1;
  for (const control of row.querySelectorAll('button, a')) control.tabIndex = stops ? 0 : -1;
}

/** That the first row can be reached, if no other can. */
function settleStops(body) {
  const rows = [...body.rows].filter(row => row.hasAttribute('tabindex'));
  if (!rows.some(row => row.tabIndex === 0) && rows[0]) setStop(rows[0], true);
}

// ---------------------------------------------------------------------------------------------------------------------
// Pages: which one is shown
// ---------------------------------------------------------------------------------------------------------------------

/** What the page that is shown wants to be told of. */
let page = {};
let shown = 0;

function address() {
  const [route, query] = location.hash.replace(/^#\/?/, '').split('?');
  let parts = [];
  try {
    parts = route.split('/').filter(part => part !== '').map(decodeURIComponent);
  } catch {
    parts = [];
  }
  return {parts: parts.length === 0 ? ['apis'] : parts, query: new URLSearchParams(query)};
}

/** The page that an address names. */
function pageOf([section, id, below]) {
  if (section === 'apis' && !id) return {section, show: apisPage};
  if (section === 'apis') return {section, show: {routes: routesPage, integrations: integrationsPage, authorizers: authorizersPage, stages: stagesPage, settings: settingsPage}[below ?? 'routes'], id};
  if (section === 'requests') return id ? {section, show: requestPage, id} : {section, show: requestsPage};
  if (section === 'try') return {section, show: tryPage};
  if (section === 'metrics') return {section, show: metricsPage};
  if (section === 'problems') return {section, show: problemsPage};
  return {section};
}

async function show({focus = true} = {}) {
  const turn = shown += 1;
  const {parts, query} = address();
  const found = pageOf(parts);
  for (const dialog of document.querySelectorAll('dialog[open]')) if (!asking) dialog.close();
  page = {on: {}};
  for (const anchor of document.querySelectorAll('#sections a')) {
    if (anchor.getAttribute('href') === `#/${found.section}`) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  const context = {
    id: found.id,
    query,
    on: page.on,
    isShown: () => turn === shown,
    /** Shows a page by its title, its `h1` and what follows. */
    put(title, ...content) {
      if (turn !== shown) return;
      document.title = `${plain(title, 80)} · apigateway`;
      const active = byId('page').contains(document.activeElement) ? document.activeElement : null;
      const [name, begin, end, top] = [active && nameOf(active), active?.selectionStart, active?.selectionEnd, scrollY];
      byId('page').replaceChildren(...content.flat(9).filter(Boolean));
      byId('page').style.paddingBottom = '';
      // On a small screen the link of this page is seen.
      const current = byId('page').querySelector('.subnav [aria-current]');
      const row = current?.closest('ul');
      if (row) row.scrollLeft = Math.max(0, current.offsetLeft + current.offsetWidth - row.offsetLeft - row.clientWidth);
      if (!active) return;
      // What stands for the control in hand takes the focus over.
      const same = [...byId('page').querySelectorAll('h1, button, a, input, select, textarea, tr[tabindex]')].find(element => nameOf(element) === name);
      (same ?? byId('page').querySelector('h1'))?.focus({preventScroll: true});
      if (same?.setSelectionRange && begin !== null && begin !== undefined) same.setSelectionRange(begin, end);
      scrollTo(scrollX, top);
    },
  };
  try {
    if (!found.show) context.put('Not found', head('Not found', `There is no page ${parts.join('/')}.`));
    else await found.show(context);
  } catch (error) {
    context.put('Cannot be shown', head('Cannot be shown', refusalText(error)), button('Try again', () => show()));
  }
  if (focus && turn === shown) {
    byId('page').querySelector('h1')?.focus({preventScroll: true});
    scrollTo(0, 0);
  }
}

/** The words above a page: its `h1`, a sentence, and what can be done. */
function head(title, lead, {crumb, actions} = {}) {
  return el('div', {class: 'top'},
    el('div', null,
      crumb ? el('p', {class: 'crumb'}, crumb) : null,
      el('h1', {tabindex: '-1'}, clipped(title, 160)),
      lead ? el('p', {class: 'lead'}, typeof lead === 'string' ? data(lead) : lead) : null),
    actions ? el('div', {class: 'buttons'}, actions) : null);
}

const go = (parts, query) => { location.hash = `#/${parts.map(label).join('/')}${query ? `?${query}` : ''}`; };

// ---------------------------------------------------------------------------------------------------------------------
// APIs
// ---------------------------------------------------------------------------------------------------------------------

const MOST_NAME = 128;

async function apisPage(context) {
  const draw = () => {
    const {apis = []} = state.overview;
    const actions = canChange() ? button('Create API', createApi, {class: 'main', 'data-key': 'n', 'aria-keyshortcuts': 'n'}) : null;
    const top = head('APIs', 'HTTP APIs that this gateway serves, from its files.', {actions: apis.length > 0 ? actions : null});
    if (apis.length === 0) {
      context.put('APIs', top, offNote(), el('div', {class: 'empty'}, el('h2', null, 'No API yet'),
        el('p', null, 'An API has a URL of its own at once. It answers 404 until it has a route.'), actions));
      return;
    }
    const list = table('APIs', ['Name', 'Id', ['Endpoint', 'grow'], ['Routes', 'num'], ['Stages', 'num']]);
    for (const api of apis) {
      const stages = Array.isArray(api.stages) ? api.stages : null;
      list.body.append(el('tr', {tabindex: '-1', 'data-id': api.apiId},
        el('td', null, link(['apis', api.apiId, 'routes'], clipped(api.name || api.apiId, 80)), problemsOf(api.apiId).length > 0 ? [' ', problemTag(problemsOf(api.apiId).length)] : null),
        el('td', {class: 'tight mono'}, data(api.apiId)),
        el('td', {class: 'path'}, broken(api.endpoint ?? '–')),
        el('td', {class: 'num'}, count(Array.isArray(api.routes) ? api.routes.length : api.routes ?? 0)),
        el('td', {class: 'num', title: stages && stages.length > 0 ? plain(stages.map(stage => stage.stageName ?? stage).join(', ')) : null}, count(stages ? stages.length : api.stages ?? 0))));
    }
    walk(list.body, row => go(['apis', row.dataset.id, 'routes']));
    settleStops(list.body);
    context.put('APIs', top, offNote(), list.whole);
  };
  await Promise.all([loadOverview(), knowProblems()]);
  draw();
  let drawn = JSON.stringify(state.overview.apis);
  context.on.deployment = () => {
    const now = JSON.stringify(state.overview.apis);
    if (now !== drawn) draw();
    drawn = now;
  };
  context.on.problems = draw;
}

const problemTag = number => el('span', {class: 'tag sev-warning'}, plural(number, 'problem'));

async function createApi() {
  await formDialog({
    title: 'Create API',
    fields: [{name: 'name', label: 'Name', required: true, most: MOST_NAME, hint: '1 to 128 characters.', member: ['Name'], isMain: true}],
    submit: 'Create',
    async save({name}) {
      const api = await call('POST', v2('apis'), {name, protocolType: 'HTTP'});
      await call('POST', v2('apis', api.apiId, 'stages'), {stageName: '$default', autoDeploy: true});
      announce(`API ${name} created`);
      go(['apis', api.apiId, 'routes']);
    },
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Problems, here and on the resource that has them
// ---------------------------------------------------------------------------------------------------------------------

function problemsOf(apiId, file) {
  return state.problems.filter(problem => {
    const of = problem.api ?? null;
    // The root API's files have no directory of its own.
    const isOfApi = of === apiId || of === null && problem.file.startsWith(`apis/${apiId}/`) || of === null && !problem.file.startsWith('apis/');
    if (file === undefined) return of === apiId;
    // A conflict is told of one file, and names the other in its sentence.
    return isOfApi && (problem.file === file || problem.file.endsWith(`/${file}`) || problem.text.includes(file));
  });
}

/** Sentences under the name of a resource. */
function problemLines(apiId, file) {
  return problemsOf(apiId, file).map(problem => el('span', {class: `small sev-${problem.severity === 'error' ? 'error' : 'warning'}`},
    `${problem.severity === 'error' ? 'Error' : 'Warning'}${problem.pointer ? ` at ${plain(problem.pointer)}` : ''}: `, data(problem.text)));
}

async function problemsPage(context) {
  const draw = () => {
    const {problems} = state;
    const errors = problems.filter(problem => problem.severity === 'error').length;
    const lead = problems.length === 0 ? 'The files as they lie there now.'
      : `${plural(errors, 'error')} and ${plural(problems.length - errors, 'warning')} in the files as they lie there now.`;
    const items = [...problems].sort((one, other) => Number(other.severity === 'error') - Number(one.severity === 'error')).map(problem => el('li', null,
      el('p', null, el('strong', {class: `sev-${problem.severity === 'error' ? 'error' : 'warning'}`}, problem.severity === 'error' ? 'Error' : 'Warning'), ' ', el('code', null, data(`${problem.file}${problem.pointer ? `#${problem.pointer}` : ''}`))),
      el('p', null, data(problem.text)),
      problem.api && apiOf(problem.api) ? el('p', {class: 'small'}, link(['apis', problem.api, 'routes'], `API ${apiName(problem.api)}`)) : null));
    context.put('Problems', head('Problems', lead), items.length > 0 ? el('ul', {class: 'list', 'aria-label': 'Problems'}, items) : el('div', {class: 'empty'}, el('h2', null, 'No problems'), el('p', null, 'What is served is what the files say.')));
  };
  await Promise.all([loadProblems(), loadOverview()]);
  draw();
  context.on.problems = draw;
  context.on.deployment = async () => {
    if (await loadProblems()) draw();
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// One API
// ---------------------------------------------------------------------------------------------------------------------

const API_PAGES = ['Routes', 'Integrations', 'Authorizers', 'Stages', 'Settings'];

/** The words above a page of an API, with the links to the others. */
function apiHead(apiId, title, actions) {
  return [
    head(title, null, {crumb: [link(['apis'], 'APIs'), ' / ', apiName(apiId)], actions}),
    el('nav', {class: 'subnav', 'aria-label': `API ${apiName(apiId)}`}, el('ul', null, API_PAGES.map(name => {
      const anchor = link(['apis', apiId, name.toLowerCase()], name);
      if (name === title) anchor.setAttribute('aria-current', 'page');
      return el('li', null, anchor);
    }))),
    offNote(),
  ];
}

const addButton = (text, listener) => canChange() ? button(text, listener, {class: 'main', 'data-key': 'n', 'aria-keyshortcuts': 'n'}) : null;

/** The objects of a kind, or none and why where the control plane does not say. */
async function objects(apiId, kind) {
  try {
    return await listOf('apis', apiId, kind);
  } catch (refusal) {
    if (refusal instanceof Refusal && refusal.status === 404 && !canChange()) return null;
    throw refusal;
  }
}

/** What is served of a kind, told from the routes: all that is known where the control plane is off. */
async function servedOf(apiId, title) {
  const routes = await call('GET', own('apis', apiId, 'routes')) ?? [];
  const stages = apiOf(apiId)?.stages ?? [];
  const columns = {Integrations: ['Id', 'Integration'], Authorizers: ['Authorization'], Stages: ['Name']}[title];
  const lines = {
    Integrations: routes.map(route => [route.target, route.integration]), Authorizers: routes.map(route => [route.authorization]), Stages: stages.map(name => [name]),
  }[title].filter(([first]) => first && first !== '-');
  const list = table(title, columns);
  const known = new Set();
  for (const line of lines) {
    if (known.has(line[0])) continue;
    known.add(line[0]);
    list.body.append(el('tr', null, line.map(text => el('td', null, data(textOf(text))))));
  }
  return [known.size > 0 ? list.whole : null, el('p', {class: 'hint'}, known.size > 0 ? 'What is served of them; the rest stands in the files.' : 'None is served.')];
}

/** Draws a page of an API, and again whenever files or problems change. */
async function apiPage(context, load, draw) {
  let drawn = '';
  let isWanted = false;
  let running = null;
  const run = async () => {
    while (isWanted) {
      isWanted = false;
      const loaded = await load();
      const now = JSON.stringify([loaded, state.problems, apiOf(context.id)?.name, apiOf(context.id)?.endpoint, state.overview.controlPlane]);
      // What is the same is not drawn anew under somebody's hands.
      if (now === drawn || !context.isShown()) continue;
      drawn = now;
      await draw();
    }
  };
  // One at a time: an answer that is older must not come behind one that is newer.
  const again = () => {
    isWanted = true;
    running ??= run().finally(() => { running = null; });
    return running;
  };
  await Promise.all([loadOverview(), knowProblems()]);
  await again();
  const refresh = () => again().catch(error => announce(refusalText(error)));
  context.on.deployment = refresh;
  context.on.problems = refresh;
  return again;
}

// ---------------------------------------------------------------------------------------------------------------------
// Routes
// ---------------------------------------------------------------------------------------------------------------------

/** Rows that are drawn at once; a button shows the rest. */
const ROWS = 300;
const METHODS = ['ANY', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const ANY_ROUTE = '$default';

function splitKey(routeKey) {
  const at = routeKey.indexOf(' ');
  return at < 0 ? ['ANY', routeKey] : [routeKey.slice(0, at), routeKey.slice(at + 1)];
}

const textOf = value => {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).join(', ');
  if (typeof value === 'object') return Object.entries(value).map(([name, inner]) => `${name}: ${textOf(inner)}`).join(', ');
  return String(value);
};

/** What a route goes to, in words: its URL rather than its file. */
function targetText(row, integrations) {
  const one = integrations.find(known => known.integrationId === integrationId(row.target ?? row.route?.target));
  return one ? integrationText(one, false) : textOf(row.integration);
}

/** Who lets its requests in: an authorizer by its name rather than its id. */
function guardText(row, authorizers) {
  const one = authorizers.find(known => known.authorizerId === row.route?.authorizerId);
  return one ? `${one.authorizerType === 'JWT' ? 'JWT' : 'Lambda'} ${one.name}` : textOf(row.authorization);
}

/** What is served in the order of precedence, with the ids of the files; then what is not served. */
function joined(served, known) {
  const left = new Map((known ?? []).map(route => [`routes/${route.routeId}.json`, route]));
  const rows = served.map((row, index) => {
    const file = row.file?.slice(row.file.lastIndexOf('routes/'));
    const route = left.get(file) ?? null;
    left.delete(file);
    return {...row, order: index + 1, route};
  });
  const note = rows.length > 0 ? 'Not served in this stage' : 'Not served: no stage deploys it';
  return rows.concat([...left.values()].map(route => ({
    routeKey: route.routeKey, target: route.target, integration: route.target ?? null, authorization: route.authorizationType, order: null, route, note,
  })));
}

async function routesPage(context) {
  const {id} = context;
  let stage = context.query.get('stage') ?? '';
  let filter = context.query.get('filter') ?? '';
  let sort = null;
  let most = ROWS;
  let rows = [];
  let loaded = {};

  const load = async () => {
    const query = stage ? `?stage=${encodeURIComponent(stage)}` : '';
    const [routes, integrations, authorizers, stages] = await Promise.all(['routes', 'integrations', 'authorizers', 'stages'].map(kind => objects(id, kind)));
    // Afterwards, so that what is listed and served is not taken for what is not.
    const served = await call('GET', own('apis', id, 'routes') + query);
    loaded = {routes, integrations: integrations ?? [], authorizers: authorizers ?? [], stages: stages?.map(one => one.stageName) ?? apiOf(id)?.stages ?? []};
    const byId = new Map(loaded.integrations.map(one => [one.integrationId, one]));
    rows = joined(served ?? [], routes).map(row => {
      const one = byId.get(integrationId(row.target));
      return {...row, goes: targetText(row, one ? [one] : []), guard: guardText(row, loaded.authorizers)};
    });
    return [stage, rows.map(({lastSeen, requests, ...row}) => row), loaded];
  };

  const remember = () => {
    const query = new URLSearchParams({...stage && {stage}, ...filter && {filter}});
    history.replaceState(null, '', `#/apis/${label(id)}/routes${String(query) ? `?${query}` : ''}`);
  };

  const COLUMNS = [
    ['Order', row => row.order ?? Infinity, 'num'], ['Method', row => splitKey(row.routeKey)[0], 'tight'], ['Path', row => splitKey(row.routeKey)[1], 'path'],
    ['Authorization', row => row.guard], ['Integration', row => row.goes, 'grow'],
    ['Throttle', row => textOf(row.throttle)], ['Last seen', row => dateOf(row.lastSeen ?? 0)?.getTime() ?? 0, 'tight'],
  ];

  const draw = () => {
    const add = () => editRoute(id, null, loaded).then(changed);
    const addRoute = addButton('Add route', add);
    const top = apiHead(id, 'Routes', rows.length > 0 ? addRoute : null);
    const invoke = invokeUrl(id, stage);
    if (rows.length === 0) {
      context.put(`Routes of ${apiName(id)}`, top, invoke, el('div', {class: 'empty'}, el('h2', null, 'No routes yet'),
        el('p', null, 'Every request to this API is answered 404 ', el('code', null, '{"message":"Not Found"}'), '. Open the invoke URL to see it. Then add a route: it says which requests go to which integration, and it is served at once.'),
        addRoute));
      return;
    }
    const list = table('Routes', [...COLUMNS.map(([name, , kind], index) => {
      const cell = el('th', {scope: 'col', class: kind}, button(name, () => {
        const falls = sort?.index === index && !sort.falls;
        sort = index === 0 && !falls ? null : {index, falls};
        fill();
      }));
      return cell;
    }), ['', 'tight']]);
    const more = el('p', {class: 'tools'});
    const number = el('span', {class: 'hint'});
    const fill = () => {
      const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = rows.filter(row => {
        const text = [row.routeKey, row.goes, row.guard, row.target ?? ''].join(' ').toLowerCase();
        return words.every(word => text.includes(word));
      });
      if (sort) {
        const value = COLUMNS[sort.index][1];
        wanted.sort((one, other) => {
          const [a, b] = [value(one), value(other)];
          const order = typeof a === 'string' ? a.localeCompare(b) : a < b ? -1 : a > b ? 1 : 0;
          return sort.falls ? -order : order;
        });
      }
      list.heads.forEach((cell, index) => {
        if (index === (sort?.index ?? 0)) cell.setAttribute('aria-sort', sort?.falls ? 'descending' : 'ascending');
        else cell.removeAttribute('aria-sort');
      });
      list.body.replaceChildren(...wanted.slice(0, most).map(rowOf));
      settleStops(list.body);
      number.textContent = wanted.length === rows.length ? plural(rows.length, 'route') : `${count(wanted.length)} of ${plural(rows.length, 'route')}`;
      more.replaceChildren();
      if (wanted.length > most) {
        more.append(`${count(most)} are shown. `, button(`Show ${count(Math.min(1000, wanted.length - most))} more`, () => {
          most += 1000;
          fill();
        }));
      }
    };
    const rowOf = row => {
      const [method, route] = splitKey(row.routeKey);
      const name = plain(row.routeKey, 120);
      const changes = canChange() && row.route;
      const where = row.route ? `routes/${row.route.routeId}.json` : null;
      return el('tr', {tabindex: '-1', 'data-key-of-route': row.routeKey},
        el('td', {class: 'num soft'}, row.order === null ? el('span', {title: row.note}, '–') : String(row.order)),
        el('td', {class: 'tight method'}, plain(method)),
        el('td', {class: 'path'}, broken(route), row.note ? el('span', {class: 'small'}, row.note) : null, where ? problemLines(id, where) : null),
        el('td', null, authorizationText(row.guard)),
        el('td', {class: 'path uri', title: plain(row.target ?? row.route?.target ?? '') || null}, broken(row.goes)),
        el('td', {class: 'limit'}, data(textOf(row.throttle).replace(/^-$/, '–'))),
        el('td', {class: 'tight', 'data-seen': row.routeKey, title: row.requests ? plural(row.requests, 'request') : null}, seen(row)),
        el('td', {class: 'tight'}, changes ? [
          button('Edit', () => editRoute(id, row.route, loaded).then(changed), {class: 'row', tabindex: '-1', 'aria-label': `Edit ${name}`}),
          button('Delete', () => askToDelete(`Delete ${name}?`, 'Requests that matched it go to the next route that does, or are answered 404.', () => call('DELETE', v2('apis', id, 'routes', row.route.routeId)))
            .then(done => changed(done && `Route ${row.routeKey} deleted`)), {class: 'row', tabindex: '-1', 'aria-label': `Delete ${name}`}),
        ] : null));
    };
    const search = el('input', {type: 'text', 'aria-label': 'Filter', placeholder: 'Filter by method, path, integration', 'data-key': '/', 'aria-keyshortcuts': '/', on: {input: () => {
      filter = search.value;
      most = ROWS;
      remember();
      fill();
    }}});
    search.value = filter;
    const {stages} = loaded;
    const choice = stages.length > 1 ? el('select', {'aria-label': 'Stage', on: {change: async () => {
      stage = choice.value;
      remember();
      await again();
    }}}, stages.map(name => el('option', {value: name, selected: name === (stage || '$default')}, `Stage ${plain(name, 60)}`))) : null;
    fill();
    walk(list.body, row => row.querySelector('button')?.click());
    context.put(`Routes of ${apiName(id)}`, top, invoke,
      el('div', {class: 'tools'}, el('div', {class: 'grow'}, search), choice ? el('div', null, choice) : null, number),
      list.whole, more, el('p', {class: 'hint'}, 'In the order of precedence: of the routes that match a request, the first one takes it.'));
  };

  const changed = async said => {
    if (!said) return;
    await again();
    await loadOverview();
    if (typeof said === 'string') announce(said);
    if (document.activeElement === document.body) focusPage('Add route');
  };
  const again = await apiPage(context, load, draw);
  context.on.requests = summary => {
    if (summary?.apiId !== id || summary.state !== 'done' || stage && summary.stage !== stage) return;
    const row = rows.find(one => one.order !== null && one.routeKey === summary.routeKey);
    if (!row) return;
    Object.assign(row, {lastSeen: summary.time, requests: (row.requests ?? 0) + 1});
    const cell = [...byId('page').querySelectorAll('[data-seen]')].find(one => one.dataset.seen === summary.routeKey);
    cell?.replaceChildren(seen(row));
  };
}

function seen(row) {
  if (!row.lastSeen) return el('span', {class: 'soft'}, row.order === null ? '–' : 'never');
  return time(row.lastSeen);
}

const AUTHORIZATIONS = {NONE: 'None', AWS_IAM: 'IAM', JWT: 'JWT', CUSTOM: 'Lambda'};

function authorizationText(value) {
  const text = textOf(value);
  return text === '–' || text === '-' || text === 'NONE' ? el('span', {class: 'soft'}, 'None') : data(AUTHORIZATIONS[text] ?? text);
}

/** Where an API is called, as a link. */
function invokeUrl(apiId, stage) {
  const url = webUrl(apiOf(apiId)?.endpoint ?? '');
  if (!url) return null;
  if (stage && stage !== '$default') url.pathname = `${url.pathname.replace(/\/$/, '')}/${encodeURIComponent(stage)}`;
  return el('div', {class: 'invoke'}, el('a', {href: url.href, target: '_blank', rel: 'noreferrer noopener', 'data-testid': 'invoke-url'}, 'Invoke URL'),
    el('code', null, url.href.replace(/\/$/, '')),
    el('div', {class: 'buttons'}, button('Copy URL', () => copy(url.href, 'URL'), {class: 'row'}), el('a', {class: 'small', href: `#/try?api=${encodeURIComponent(apiId)}`}, 'Try it')));
}

const integrationId = target => target?.replace(/^integrations\//, '') ?? '';

function integrationText(one, withId = true) {
  const what = one.integrationSubtype ?? one.integrationUri ?? one.integrationType;
  return `${one.integrationMethod && one.integrationMethod !== 'ANY' && one.integrationType === 'HTTP_PROXY' ? `${one.integrationMethod} ` : ''}${what}${withId ? ` (${one.integrationId})` : ''}`;
}

/** Makes or changes a route; with a URL, an integration for it too. */
function editRoute(apiId, route, {integrations, authorizers}) {
  const [method, routePath] = route ? splitKey(route.routeKey) : ['GET', ''];
  const isAny = routePath === ANY_ROUTE;
  const now = route ? integrationId(route.target) : 'new';
  const authorization = !route || route.authorizationType === 'NONE' || !route.authorizationType ? 'NONE' : route.authorizerId ?? route.authorizationType;
  const nameOf = values => values.method === ANY_ROUTE ? ANY_ROUTE : `${values.method} ${values.path.trim()}`;
  return formDialog({
    title: route ? `Edit ${plain(route.routeKey, 120)}` : 'Add route',
    fields: [
      {name: 'method', label: 'Method', kind: 'select', options: [...new Set([...METHODS, isAny ? 'ANY' : method]), [ANY_ROUTE, '$default: all that no other route takes']], value: isAny ? ANY_ROUTE : method},
      {name: 'path', label: 'Path', value: isAny ? '' : routePath, placeholder: '/pets/{id}', hint: 'Segments may be variables: {id} is one segment, {proxy+} all that follow.', member: ['RouteKey', 'Route'], isMain: true, about: /route|path/i, when: values => values.method !== ANY_ROUTE},
      {name: 'integration', label: 'Integration', kind: 'select', value: now, member: ['Target'], options: [['new', 'New HTTP integration'], ...integrations.map(one => [one.integrationId, integrationText(one)]), ['', 'None yet: requests are answered 500']]},
      {name: 'url', label: 'URL', kind: 'url', placeholder: 'http://127.0.0.1:3000/pets', required: true, member: ['IntegrationUri'], about: /uri|url/i, when: values => values.integration === 'new'},
      {name: 'authorization', label: 'Authorization', kind: 'select', value: authorization, member: ['AuthorizationType', 'AuthorizerId'], options: [['NONE', 'None'], ['AWS_IAM', 'IAM'], ...authorizers.map(one => [one.authorizerId, `${one.name} (${one.authorizerType === 'JWT' ? 'JWT' : 'Lambda'})`])]},
      {name: 'scopes', label: 'Scopes', value: (route?.authorizationScopes ?? []).join(' '), hint: 'With spaces between them. A token needs one of them.', member: ['AuthorizationScopes'], when: values => authorizers.some(one => one.authorizerId === values.authorization && one.authorizerType === 'JWT')},
    ],
    submit: route ? 'Save' : 'Add',
    async save(values) {
      if (values.method !== ANY_ROUTE && !values.path.trim().startsWith('/')) throw new FieldError('path', 'A path begins with /');
      let made = null;
      let target = values.integration === '' ? undefined : `integrations/${values.integration}`;
      if (values.integration === 'new') {
        made = await call('POST', v2('apis', apiId, 'integrations'), {integrationType: 'HTTP_PROXY', integrationMethod: 'ANY', integrationUri: values.url.trim(), payloadFormatVersion: '1.0'});
        target = `integrations/${made.integrationId}`;
      }
      const authorizer = authorizers.find(one => one.authorizerId === values.authorization);
      const type = authorizer ? authorizer.authorizerType === 'JWT' ? 'JWT' : 'CUSTOM' : values.authorization;
      const scopes = values.scopes.split(/\s+/).filter(Boolean);
      const body = {routeKey: nameOf(values), target, authorizationType: type};
      if (authorizer) body.authorizerId = authorizer.authorizerId;
      if (type === 'JWT') body.authorizationScopes = scopes;
      try {
        await call(route ? 'PATCH' : 'POST', route ? v2('apis', apiId, 'routes', route.routeId) : v2('apis', apiId, 'routes'), body);
      } catch (error) {
        // Without its route the new integration would be of no use.
        if (made) await call('DELETE', v2('apis', apiId, 'integrations', made.integrationId)).catch(() => {});
        throw error;
      }
      return `Route ${nameOf(values)} ${route ? 'changed' : 'added'}`;
    },
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Integrations, authorizers, stages: a form for what is usual, JSON for all
// ---------------------------------------------------------------------------------------------------------------------

/** Members whose empty value takes them away: texts, lists. */
const emptyOf = node => node.raw !== undefined ? node.raw.startsWith('"') ? '""' : null : node.mark === '[' ? '[]' : null;

/** What a call has to say so that an object becomes what a text says; maps lose the names that are gone. */
function changesOf(before, after) {
  const members = new Map(after.children.map(child => [JSON.parse(child.key), child.node]));
  const said = [...members].map(([name, node]) => {
    const old = before.children.find(child => JSON.parse(child.key) === name)?.node;
    if (!['requestParameters', 'stageVariables'].includes(name) || !old?.mark || !node.mark) return {key: JSON.stringify(name), node};
    const kept = new Set(node.children.map(child => JSON.parse(child.key)));
    const gone = old.children.filter(child => !kept.has(JSON.parse(child.key))).map(child => ({key: child.key, node: {raw: '""'}}));
    return {key: JSON.stringify(name), node: {mark: '{', children: [...node.children, ...gone]}};
  });
  for (const {key: written, node} of before.children) {
    if (members.has(JSON.parse(written))) continue;
    const empty = emptyOf(node);
    if (empty) said.push({key: written, node: {raw: empty}});
  }
  return {mark: '{', children: said};
}

/** Members that answers have and calls may not say. */
const SET_HERE = ['apiGatewayManaged', 'apiId', 'createdDate', 'lastUpdatedDate', 'lastDeploymentStatusMessage', 'integrationId', 'routeId', 'authorizerId', 'apiKeyRequired'];

const without = (tree, names) => ({mark: tree.mark, children: tree.children.filter(child => !names.includes(JSON.parse(child.key)))});

function objectOf(text) {
  const tree = readJson(text);
  if (tree.mark !== '{') throw new SyntaxError('The JSON of a resource is an object');
  return renamed(tree, lowerFirst);
}

/**
 * The page of a kind of resource: a table, and dialogs to add, edit and delete.
 * `kind`: title, one, plural path, id and name of an object, columns, cells, fields and the body that they make.
 */
async function kindPage(context, kind) {
  const {id} = context;
  let items = [];
  let more = {};
  const load = async () => {
    items = await objects(id, kind.path);
    more = await kind.load?.(id) ?? {};
    return [items, more];
  };
  const edit = async item => {
    const name = item ? kind.name(item) : '';
    const created = item && [...SET_HERE, ...kind.fixed ?? []];
    const before = item ? without(renamed(readJson(await call('GET', v2('apis', id, kind.path, item[kind.id]), undefined, {text: true})), lowerFirst), created) : null;
    const at = item ? v2('apis', id, kind.path, item[kind.id]) : v2('apis', id, kind.path);
    const put = async content => {
      const made = await call(item ? 'PATCH' : 'POST', at, content);
      const said = made ? kind.name(made) : name;
      return `${upperFirst(kind.one)} ${said} ${item ? 'changed' : 'added'}`;
    };
    const said = await formDialog({
      title: item ? `Edit ${plain(name, 100)}` : `Add ${kind.one}`,
      fields: kind.fields(item, more),
      submit: item ? 'Save' : 'Add',
      save: async values => {
        const result = await put(kind.body(values, item));
        await kind.saved?.(id, values, item);
        return result;
      },
      json: {
        text: item ? printJson(renamed(before, upperFirst)) : printJson(renamed(readJson(JSON.stringify(kind.example)), upperFirst)),
        save: text => {
          const after = objectOf(text);
          return put(printJson(item ? changesOf(before, without(after, created)) : after));
        },
      },
    });
    await changed(said);
  };
  const changed = async said => {
    if (!said) return;
    await again();
    await loadOverview();
    announce(said);
    if (document.activeElement === document.body) focusPage(`Add ${kind.one}`);
  };
  const draw = async () => {
    const add = addButton(`Add ${kind.one}`, () => edit(null).catch(error => announce(refusalText(error))));
    const title = `${kind.title} of ${apiName(id)}`;
    if (!items) {
      context.put(title, apiHead(id, kind.title), await servedOf(id, kind.title));
      return;
    }
    const top = apiHead(id, kind.title, items.length > 0 ? add : null);
    if (items.length === 0) {
      context.put(title, top, el('div', {class: 'empty'}, el('h2', null, `No ${kind.title.toLowerCase()}`), el('p', null, kind.empty), add));
      return;
    }
    const list = table(kind.title, [...kind.columns, ['', 'tight']]);
    for (const item of items) {
      const name = plain(kind.name(item), 100);
      const file = `${kind.path}/${item[kind.id]}.json`;
      const cells = kind.cells(item, more).map(([content, type], index) => el('td', {class: type}, content, index === 0 ? problemLines(id, file) : null));
      list.body.append(el('tr', {tabindex: '-1'}, cells, el('td', {class: 'tight'}, canChange() ? [
        button('Edit', () => edit(item).catch(error => announce(refusalText(error))), {class: 'row', tabindex: '-1', 'aria-label': `Edit ${name}`}),
        button('Delete', () => askToDelete(`Delete ${name}?`, kind.loss, () => call('DELETE', v2('apis', id, kind.path, item[kind.id])))
          .then(done => changed(done && `${upperFirst(kind.one)} ${kind.name(item)} deleted`)), {class: 'row', tabindex: '-1', 'aria-label': `Delete ${name}`}),
      ] : null)));
    }
    walk(list.body, row => row.querySelector('button')?.click());
    settleStops(list.body);
    context.put(title, top, list.whole);
  };
  const again = await apiPage(context, load, draw);
}

const numberOrNothing = text => text.trim() === '' ? undefined : Number(text);

function integrationsPage(context) {
  return kindPage(context, {
    title: 'Integrations', one: 'integration', path: 'integrations', id: 'integrationId',
    name: item => item.integrationId,
    empty: 'An integration says what a route sends its requests to: a URL, a Lambda function, or a service of AWS.',
    loss: 'A route may still name it; then this is refused.',
    columns: [['Id', 'tight'], 'Type', ['URI', 'path'], 'Method', ['Routes', 'num'], ['Timeout', 'num']],
    load: async apiId => ({routes: await objects(apiId, 'routes') ?? []}),
    cells: (item, {routes}) => [
      [el('code', null, data(item.integrationId)), 'tight'], [data(item.integrationSubtype ?? item.integrationType)], [broken(item.integrationUri ?? '–'), 'path uri'],
      [data(item.integrationMethod ?? '–')],
      [(() => {
        const users = routes.filter(route => integrationId(route.target) === item.integrationId);
        return el('span', {title: plain(users.map(route => route.routeKey).join(', '), 600) || null}, count(users.length));
      })(), 'num'],
      [ms(item.timeoutInMillis), 'num']],
    fields: item => [
      {name: 'type', label: 'Type', kind: 'select', value: item?.integrationType ?? 'HTTP_PROXY', member: ['IntegrationType'], enabled: () => !item?.integrationSubtype, options: [['HTTP_PROXY', 'HTTP URI'], ['AWS_PROXY', item?.integrationSubtype ? `Service of AWS: ${item.integrationSubtype}` : 'Lambda function']]},
      {name: 'uri', label: 'URI', value: item?.integrationUri ?? '', required: !item?.integrationSubtype, member: ['IntegrationUri'], isMain: true, when: () => !item?.integrationSubtype,
        tell: values => values.type === 'AWS_PROXY' ? 'arn:aws:lambda:<region>:<account>:function:<name>' : 'http:// or https://, with {variables} of the path.'},
      [
        {name: 'method', label: 'Method', kind: 'select', value: item?.integrationMethod ?? 'ANY', member: ['IntegrationMethod'], options: METHODS, when: values => values.type === 'HTTP_PROXY'},
        {name: 'version', label: 'Payload format version', kind: 'select', value: item?.payloadFormatVersion ?? '2.0', member: ['PayloadFormatVersion'], options: ['2.0', '1.0'], when: values => values.type === 'AWS_PROXY' && !item?.integrationSubtype},
        {name: 'timeout', label: 'Timeout in ms', inputmode: 'numeric', value: String(item?.timeoutInMillis ?? 30000), member: ['TimeoutInMillis'], hint: '50 to 30,000.'},
      ],
      {name: 'description', label: 'Description', value: item?.description ?? '', most: 1024, member: ['Description']},
    ],
    body: (values, item) => ({
      ...!item?.integrationSubtype && {integrationType: values.type, integrationUri: values.uri.trim()},
      ...values.type === 'HTTP_PROXY' ? {integrationMethod: values.method, payloadFormatVersion: '1.0'} : !item?.integrationSubtype && {payloadFormatVersion: values.version, ...!item && {integrationMethod: 'POST'}},
      timeoutInMillis: numberOrNothing(values.timeout),
      ...(values.description || item?.description) && {description: values.description},
    }),
    example: {integrationType: 'HTTP_PROXY', integrationMethod: 'ANY', integrationUri: 'http://127.0.0.1:3000/{proxy}', payloadFormatVersion: '1.0', requestParameters: {'overwrite:header.x-from': '$context.requestId'}},
  });
}

const words = text => text.split(/[\s,]+/).filter(Boolean);

function authorizersPage(context) {
  return kindPage(context, {
    title: 'Authorizers', one: 'authorizer', path: 'authorizers', id: 'authorizerId',
    name: item => item.name,
    empty: 'An authorizer lets requests in: by a JSON Web Token of an issuer, or by what a Lambda function says.',
    loss: 'A route may still use it; then this is refused.',
    columns: ['Name', ['Id', 'tight'], 'Type', ['Issuer or function', 'path'], 'Identity source'],
    cells: item => [[data(item.name)], [el('code', null, data(item.authorizerId)), 'tight'], [item.authorizerType === 'JWT' ? 'JWT' : 'Lambda'],
      [data(item.jwtConfiguration?.issuer ?? item.authorizerUri ?? '–'), 'path'], [data((item.identitySource ?? []).join(', ') || '–')]],
    fields: item => [
      {name: 'name', label: 'Name', value: item?.name ?? '', required: true, most: MOST_NAME, member: ['Name'], isMain: true},
      {name: 'type', label: 'Type', kind: 'select', value: item?.authorizerType ?? 'JWT', member: ['AuthorizerType'], options: [['JWT', 'JWT'], ['REQUEST', 'Lambda']]},
      {name: 'issuer', label: 'Issuer', value: item?.jwtConfiguration?.issuer ?? '', placeholder: 'https://issuer.example.com', required: true, member: ['JwtConfiguration', 'Issuer'], when: values => values.type === 'JWT'},
      {name: 'audience', label: 'Audience', value: (item?.jwtConfiguration?.audience ?? []).join(' '), hint: 'With spaces between them.', required: true, member: ['Audience'], when: values => values.type === 'JWT'},
      {name: 'uri', label: 'Function', value: item?.authorizerUri ?? '', placeholder: 'arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<arn>/invocations', required: true, member: ['AuthorizerUri'], when: values => values.type === 'REQUEST'},
      {name: 'source', label: 'Identity source', value: (item?.identitySource ?? ['$request.header.Authorization']).join(' '), member: ['IdentitySource'], hint: 'Where the token or the identity stands, with spaces between them.'},
      [
        {name: 'version', label: 'Payload format version', kind: 'select', value: item?.authorizerPayloadFormatVersion ?? '2.0', member: ['AuthorizerPayloadFormatVersion'], options: ['2.0', '1.0'], when: values => values.type === 'REQUEST'},
        {name: 'ttl', label: 'Answers kept for, in seconds', inputmode: 'numeric', value: String(item?.authorizerResultTtlInSeconds ?? 0), member: ['AuthorizerResultTtlInSeconds'], when: values => values.type === 'REQUEST'},
      ],
      {name: 'simple', label: 'Simple answers: isAuthorized', kind: 'check', value: item?.enableSimpleResponses === true, member: ['EnableSimpleResponses'], when: values => values.type === 'REQUEST' && values.version === '2.0'},
    ],
    body: values => ({
      name: values.name, authorizerType: values.type, identitySource: words(values.source),
      ...values.type === 'JWT' ? {jwtConfiguration: {issuer: values.issuer.trim(), audience: words(values.audience)}}
        : {authorizerUri: values.uri.trim(), authorizerPayloadFormatVersion: values.version, authorizerResultTtlInSeconds: numberOrNothing(values.ttl), ...values.version === '2.0' && {enableSimpleResponses: values.simple}},
    }),
    example: {name: 'tokens', authorizerType: 'JWT', identitySource: ['$request.header.Authorization'], jwtConfiguration: {issuer: 'https://issuer.example.com', audience: ['my-api']}},
  });
}

/** What a line of the log might say, from the newest request where there is one. */
function sampleLine(format) {
  const last = state.requests.find(request => request.state === 'done') ?? {};
  const values = {
    requestId: last.requestId ?? 'JKJaXmPLvHcESHA=', extendedRequestId: last.requestId ?? 'JKJaXmPLvHcESHA=', apiId: last.apiId ?? 'a1b2c3d4e5', stage: last.stage ?? '$default',
    routeKey: last.routeKey ?? 'GET /pets', httpMethod: last.method ?? 'GET', path: last.path ?? '/pets', status: last.status ?? 200, protocol: 'HTTP/1.1',
    responseLength: last.bytesOut ?? 27, responseLatency: last.latency ?? 12, integrationLatency: last.integrationLatency ?? 11, integrationStatus: last.status ?? 200,
    'identity.sourceIp': last.sourceIp ?? '192.0.2.1', 'identity.userAgent': 'curl/8.0', requestTime: '29/Nov/2026:12:00:00 +0000', requestTimeEpoch: '1795953600000',
    accountId: state.overview?.accountId ?? '123456789012', domainName: 'a1b2c3d4e5.execute-api.localhost', 'integration.latency': last.integrationLatency ?? 11, 'integration.status': last.status ?? 200,
  };
  return format.replace(/\$context\.([A-Za-z0-9_.]+)/g, (whole, name) => String(values[name] ?? '-'));
}

const LOG_FORMAT = '{"requestId":"$context.requestId","route":"$context.routeKey","status":"$context.status","latency":"$context.responseLatency"}';

function stagesPage(context) {
  const limits = item => item.defaultRouteSettings ?? {};
  return kindPage(context, {
    title: 'Stages', one: 'stage', path: 'stages', id: 'stageName', fixed: ['stageName'],
    name: item => item.stageName,
    empty: 'Without a stage nothing of this API is served. The stage $default is served without its name in the path.',
    loss: 'What it serves is answered 404 from then on.',
    columns: ['Name', 'Deployment', 'Variables', ['Throttle', 'tight'], ['Log format', 'path'], ['Changed', 'tight']],
    cells: item => {
      const {throttlingRateLimit: rate, throttlingBurstLimit: burst} = limits(item);
      const variables = Object.entries(item.stageVariables ?? {});
      return [[el('strong', null, data(item.stageName))], [item.autoDeploy ? 'Automatic' : item.deploymentId ? ['Deployment ', el('code', null, data(item.deploymentId))] : 'The files'],
        [variables.length === 0 ? '–' : el('span', {title: plain(variables.map(([name, value]) => `${name}=${value}`).join('\n'), 1000)}, plural(variables.length, 'variable'))],
        [rate === undefined && burst === undefined ? '–' : `${rate ?? '–'}/s, burst ${burst ?? '–'}`, 'tight'],
        [data(item.accessLogSettings?.format ?? '–', {limit: 120}), 'path'], [time(item.lastUpdatedDate), 'tight']];
    },
    fields: item => [
      {name: 'name', label: 'Name', value: item?.stageName ?? '', required: !item, most: MOST_NAME, hint: 'Letters, digits, _ and -, or $default. It is the first segment of the path, but for $default.', member: ['StageName'], isMain: true, when: () => !item},
      {name: 'auto', label: 'Deploy automatically', kind: 'check', value: item ? item.autoDeploy === true : true, member: ['AutoDeploy'], hint: 'Each change is served at once.'},
      {name: 'description', label: 'Description', value: item?.description ?? '', most: 1024, member: ['Description']},
      {name: 'variables', label: 'Variables', kind: 'area', rows: 3, value: Object.entries(item?.stageVariables ?? {}).map(([name, value]) => `${name}=${value}`).join('\n'), hint: 'One a line: name=value.', member: ['StageVariables']},
      [
        {name: 'rate', label: 'Requests a second', inputmode: 'decimal', value: String(item ? limits(item).throttlingRateLimit ?? '' : ''), hint: 'For each route that has no limit of its own.', member: ['DefaultRouteSettings', 'ThrottlingRateLimit']},
        {name: 'burst', label: 'Burst', inputmode: 'numeric', value: String(item ? limits(item).throttlingBurstLimit ?? '' : ''), hint: 'Requests at once.', member: ['ThrottlingBurstLimit']},
      ],
      {name: 'format', label: 'Log format', kind: 'area', rows: 3, value: item?.accessLogSettings?.format ?? '', placeholder: LOG_FORMAT, member: ['AccessLogSettings', 'Format'],
        tell: values => values.format.trim() ? ['A line would be: ', el('span', {class: 'line'}, data(sampleLine(values.format)))] : 'Variables such as $context.requestId. Empty: the default line.'},
    ],
    body: (values, item) => {
      const variables = {};
      for (const line of values.variables.split('\n')) {
        if (line.trim() === '') continue;
        const at = line.indexOf('=');
        if (at < 1) throw new FieldError('variables', `${plain(line, 60)}: a line is name=value`);
        variables[line.slice(0, at).trim()] = line.slice(at + 1);
      }
      for (const name of Object.keys(item?.stageVariables ?? {})) if (!(name in variables)) variables[name] = '';
      for (const name of ['rate', 'burst']) if (values[name].trim() !== '' && Number.isNaN(Number(values[name]))) throw new FieldError(name, 'A number');
      const settings = {throttlingRateLimit: numberOrNothing(values.rate), throttlingBurstLimit: numberOrNothing(values.burst)};
      const hasLimits = values.rate.trim() !== '' || values.burst.trim() !== '';
      return {
        ...!item && {stageName: values.name.trim()},
        autoDeploy: values.auto,
        ...(values.description || item?.description) && {description: values.description},
        stageVariables: variables,
        ...hasLimits && {defaultRouteSettings: settings},
        ...values.format.trim() && {accessLogSettings: {format: values.format}},
      };
    },
    async saved(apiId, values, item) {
      if (item?.accessLogSettings && !values.format.trim()) await call('DELETE', v2('apis', apiId, 'stages', item.stageName, 'accesslogsettings'));
    },
    example: {stageName: 'test', autoDeploy: true, stageVariables: {backend: '127.0.0.1:3000'}, defaultRouteSettings: {throttlingRateLimit: 100, throttlingBurstLimit: 50}},
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Settings
// ---------------------------------------------------------------------------------------------------------------------

async function settingsPage(context) {
  const {id} = context;
  let api = null;
  const load = async () => {
    try {
      api = await call('GET', v2('apis', id));
    } catch (refusal) {
      if (canChange() || refusal.status !== 404) throw refusal;
      api = null;
    }
  };
  const draw = () => {
    const title = `Settings of ${apiName(id)}`;
    if (!api) {
      const known = apiOf(id);
      context.put(title, apiHead(id, 'Settings'), facts([['Id', el('code', null, data(id))], ['Name', known?.name], ['Endpoint', known?.endpoint]]));
      return;
    }
    const cors = api.corsConfiguration ?? {};
    const list = name => (cors[name] ?? []).join(' ');
    const fields = [
      {group: 'API', fields: [
        {name: 'name', label: 'Name', value: api.name, required: true, most: MOST_NAME, member: ['Name'], isMain: true},
        {name: 'description', label: 'Description', value: api.description ?? '', most: 1024, member: ['Description']},
        {name: 'default', label: 'Default endpoint', kind: 'check', value: api.disableExecuteApiEndpoint !== true, hint: 'Without it the API is reached by its custom domains only.', member: ['DisableExecuteApiEndpoint']},
      ]},
      {group: 'CORS', fields: [
        {node: el('p', {class: 'hint'}, 'What pages of other origins may do. Values with spaces between them; all empty: no CORS.')},
        {name: 'allowOrigins', label: 'Allowed origins', value: list('allowOrigins'), placeholder: 'https://app.example.com', member: ['AllowOrigins', 'CorsConfiguration']},
        [
          {name: 'allowMethods', label: 'Allowed methods', value: list('allowMethods'), placeholder: 'GET POST', member: ['AllowMethods']},
          {name: 'allowHeaders', label: 'Allowed headers', value: list('allowHeaders'), member: ['AllowHeaders']},
        ],
        [
          {name: 'exposeHeaders', label: 'Exposed headers', value: list('exposeHeaders'), member: ['ExposeHeaders']},
          {name: 'maxAge', label: 'Max age in seconds', inputmode: 'numeric', value: String(cors.maxAge ?? ''), member: ['MaxAge']},
        ],
        {name: 'allowCredentials', label: 'Allow credentials', kind: 'check', value: cors.allowCredentials === true, member: ['AllowCredentials']},
      ]},
    ];
    const settings = form({
      fields, submit: 'Save', attributes: {'aria-label': 'Settings', class: 'form narrow'},
      async save(values) {
        const lists = ['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders'];
        const hasCors = lists.some(name => words(values[name]).length > 0) || values.maxAge.trim() !== '' || values.allowCredentials;
        const body = {name: values.name, description: values.description, disableExecuteApiEndpoint: !values.default};
        if (hasCors) {
          body.corsConfiguration = Object.fromEntries(lists.map(name => [name, words(values[name])]));
          body.corsConfiguration.allowCredentials = values.allowCredentials;
          if (values.maxAge.trim() !== '') body.corsConfiguration.maxAge = numberOrNothing(values.maxAge);
        }
        await call('PATCH', v2('apis', id), body);
        if (!hasCors && api.corsConfiguration) await call('DELETE', v2('apis', id, 'cors'));
        await loadOverview();
        await again();
        announce(`API ${values.name} changed`);
      },
    });
    if (!canChange()) {
      for (const control of settings.element.elements) control.disabled = true;
      settings.send.remove();
    }
    const remove = canChange() ? el('section', {class: 'form narrow', 'aria-label': 'Delete this API'},
      el('fieldset', null, el('legend', null, 'Delete this API'), el('p', {class: 'hint'}, 'With its routes, integrations, authorizers, stages and deployments. This cannot be undone.'),
        el('div', {class: 'buttons'}, button('Delete API', deleteApi, {class: 'danger'})))) : null;
    context.put(title, apiHead(id, 'Settings'), problemLines(id, 'api.json'),
      facts([['Id', el('code', null, data(id))], ['Endpoint', el('code', null, data(api.apiEndpoint ?? ''))], ['Created', time(api.createdDate, {long: true})]], {class: 'facts narrow'}), el('br'), settings.element, el('br'), remove);
  };
  const deleteApi = async () => {
    const done = await formDialog({
      title: 'Delete API', danger: true, submit: 'Delete',
      fields: [
        {node: el('p', null, 'Type the name of the API to delete it: ', el('strong', null, data(api.name)))},
        {name: 'name', label: 'Name', required: true, isMain: true},
      ],
      async save(values) {
        if (values.name !== api.name) throw new FieldError('name', 'That is not its name');
        await call('DELETE', v2('apis', id));
      },
    });
    if (done) {
      announce(`API ${api.name} deleted`);
      go(['apis']);
    }
  };
  await loadOverview();
  await load();
  draw();
  const again = async () => {
    await load();
    draw();
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// What an entry holds
// ---------------------------------------------------------------------------------------------------------------------

/** A body as bytes. */
function bytesOf(body) {
  if (!body) return new Uint8Array();
  return body.base64 !== undefined && body.base64 !== null ? bytesOfBase64(body.base64) : bytesOfText(body.text ?? '');
}

const isText = body => !body || body.base64 === undefined || body.base64 === null;
const lengthOf = body => body?.length ?? bytesOf(body).length;

const valueOf = (fields, name) => fields.find(([known]) => known.toLowerCase() === name)?.[1];
const isRedacted = value => /«redacted, [^»]*»/.test(value ?? '');

/** Fields as a table of names and values, in their order. */
function fieldTable(name, fields) {
  if (fields.length === 0) return el('p', {class: 'hint'}, 'No fields.');
  const rows = fields.map(([known, value]) => el('tr', null, el('th', {scope: 'row'}, data(known, {limit: 120})), el('td', null, data(value))));
  const body = el('tbody', null, rows.slice(0, 60));
  const whole = el('table', {class: 'head', 'aria-label': name}, body);
  if (rows.length <= 60) return whole;
  const more = button(`Show ${count(rows.length - 60)} more fields`, () => {
    body.append(...rows.slice(60));
    more.remove();
  });
  return el('div', null, whole, more);
}

/** A body with its length, what was cut, and JSON indented on demand. */
function bodyView(body, name) {
  const length = lengthOf(body);
  if (length === 0) return el('p', {class: 'hint'}, 'No body.');
  const text = isText(body) ? body.text ?? '' : textOfBytes(bytesOf(body));
  const pre = el('pre', {tabindex: '0', 'aria-label': name, role: 'group'}, data(text, {lines: true}));
  const better = /^\s*[{[]/.test(text) ? indented(text) : null;
  const indent = better !== null && better !== text ? button('Indent', () => {
    const isOn = indent.getAttribute('aria-pressed') === 'true';
    indent.setAttribute('aria-pressed', String(!isOn));
    pre.replaceChildren(data(isOn ? text : better, {lines: true}));
  }, {'aria-pressed': 'false', class: 'row'}) : null;
  return el('div', null, el('p', {class: 'tools'}, el('span', {class: 'hint'}, bytesText(length), body.cut ? `, of which the first ${count(bytesOf(body).length)} B were kept` : '', isText(body) ? '' : ', not UTF-8'), indent), pre);
}

/** The words of an explanation: which route, why, and what follows from it. */
function explanationView(said, integrations = []) {
  if (!said) return el('p', {class: 'hint'}, 'Nothing is known of it.');
  const lines = value => (Array.isArray(value) ? value.map(textOf) : String(value ?? '').split(/\n|; /)).filter(Boolean);
  const variables = Array.isArray(said.variables) ? said.variables.map(one => Array.isArray(one) ? one : [one.name, one.value]) : Object.entries(said.variables ?? {});
  const outranks = said.outranks ?? [];
  return el('div', {class: 'why'},
    el('p', {class: 'answer'}, said.routeKey ? data(said.routeKey) : ['No route: ', statusMark(said.status)]),
    lines(said.why).map(line => el('p', null, data(line))),
    facts([
      ['Stage', said.stage],
      ['Goes before', outranks.length > 0 ? el('ul', null, outranks.slice(0, 20).map(one => el('li', {class: 'line'}, data(textOf(one)))), outranks.length > 20 ? el('li', null, `and ${count(outranks.length - 20)} more`) : null) : null],
      ['Variables', variables.length > 0 ? el('ul', null, variables.map(([name, value]) => el('li', {class: 'line'}, data(name), ' = ', data(value === '' ? '""' : textOf(value))))) : null],
      ['Authorization', said.authorization ? authorizationText(textOf(said.authorization).replace(/^-: /, '')) : null],
      ['Integration', said.integration ? el('span', {class: 'line'}, data(targetText({target: said.integration, integration: said.integration}, integrations))) : null],
      ['Throttle', said.throttle && said.throttle !== '-' ? textOf(said.throttle) : null],
    ]));
}

const POSIX = text => `'${text.replace(/'/g, `'\\''`)}'`;
/** A body beyond this is left out of a command. */
const MOST_OF_COMMAND = 16 * 1024;

/** The request as a command of curl, for a POSIX shell. */
function curlOf(entry) {
  const {request} = entry;
  const base = webUrl(state.overview?.dataPlane ?? '')?.origin ?? 'http://127.0.0.1:8000';
  const bytes = bytesOf(request.body);
  const isCut = request.body?.cut === true;
  const hasBody = bytes.length > 0 && bytes.length <= MOST_OF_COMMAND && !isCut;
  const parts = ['curl --globoff --path-as-is', entry.method === 'HEAD' ? '--head' : `--request ${POSIX(entry.method)}`, POSIX(base + entry.path)];
  const left = new Set(['content-length', 'transfer-encoding', 'connection', 'expect']);
  const names = new Set();
  for (const [name, value] of request.headers) {
    if (left.has(name.toLowerCase())) continue;
    names.add(name.toLowerCase());
    parts.push(`--header ${POSIX(value === '' ? `${name};` : `${name}: ${value}`)}`);
  }
  // What curl adds by itself.
  for (const name of ['User-Agent', 'Accept', ...hasBody ? ['Content-Type'] : []]) if (!names.has(name.toLowerCase())) parts.push(`--header ${POSIX(`${name}:`)}`);
  let command = '';
  if (hasBody && (!isText(request.body) || request.body.text.includes('\0'))) {
    command = `printf %s ${POSIX(btoa(String.fromCharCode(...bytes)))} | base64 -d | `;
    parts.push('--data-binary @-');
  } else if (hasBody) {
    parts.push(`--data-raw ${POSIX(request.body.text)}`);
  }
  command += parts.join(' \\\n  ');
  if (!hasBody && lengthOf(request.body) > 0) command += `\n# The body of ${count(lengthOf(request.body))} B is left out.`;
  return `${command}\n`;
}

/** A text for a case: one character for each byte. */
const byteText = bytes => Array.from(bytes, byte => String.fromCharCode(byte)).join('');
const ascii = json => json.replace(/[\u007f-\uffff]/g, character => `\\u${hex(character.charCodeAt(0), 4)}`);

/** The files of an API whose authorizer refused a request; none where they cannot be read. */
async function guardedFiles(entry) {
  const lists = await Promise.all(['routes', 'authorizers'].map(kind => objects(entry.apiId, kind).catch(() => null)));
  if (lists.includes(null)) return null;
  const [routes, authorizers] = lists;
  const files = {'stages/$default.json': {Name: '$default'}, 'integrations/up.json': {IntegrationType: 'HTTP_PROXY', IntegrationMethod: 'ANY', IntegrationUri: 'http://{endpoint}'}};
  const members = ({routeId, authorizerId, target, ...object}) => JSON.parse(printJson(renamed(readJson(JSON.stringify(object)), upperFirst)));
  for (const route of routes) {
    const guard = route.authorizerId && {AuthorizerId: route.authorizerId};
    files[`routes/${route.routeId}.json`] = {...members(route), ...guard, Target: 'integrations/up'};
  }
  for (const authorizer of authorizers) files[`authorizers/${authorizer.authorizerId}.json`] = members(authorizer);
  return files;
}

/** The request and its answer as a file for `tests/cases`. */
async function caseOf(entry) {
  const served = await call('GET', own('apis', entry.apiId, 'routes') + (entry.stage ? `?stage=${encodeURIComponent(entry.stage)}` : '')).catch(() => null);
  const keys = [...new Set((served ?? []).map(route => route.routeKey))];
  if (entry.routeKey && !keys.includes(entry.routeKey)) keys.push(entry.routeKey);
  const answered = entry.integrationLatency !== undefined && entry.integrationLatency !== null;
  const left = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);
  const headers = entry.request.headers.filter(([name, value]) => !left.has(name.toLowerCase()) && !isRedacted(value));
  const body = byteText(bytesOf(entry.request.body));
  const answer = byteText(bytesOf(entry.response.body));
  const type = valueOf(entry.response.headers, 'content-type');
  const expect = {status: entry.status};
  if (entry.routeKey && answered) expect.route = entry.routeKey;
  if (!entry.response.body?.cut) expect.body = answer;
  if (!answered) expect.upstream = null;
  const one = {name: `${entry.method} ${entry.path} is answered ${entry.status}`, rule: 'R1.19', request: `${entry.method} ${entry.path}`};
  if (headers.length > 0) one.headers = headers;
  if (body) one.body = body;
  one.expect = expect;
  const refused = !answered && [401, 403].includes(entry.status) ? await guardedFiles(entry) : null;
  const file = refused ? {files: refused} : {routes: keys};
  if (answered) file.upstream = `HTTP/1.1 ${entry.status} ${REASONS[entry.status] ?? 'Status'}\r\n${type ? `Content-Type: ${type}\r\n` : ''}Content-Length: ${answer.length}\r\n\r\n${answer}`;
  file.cases = [one];
  return `${ascii(JSON.stringify(file, null, 2))}\n`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Requests
// ---------------------------------------------------------------------------------------------------------------------

const TERM = /(-)?(?:([a-zA-Z]+):)?("([^"]*)"?|[^\s"]+|(?=\s|$))/g;

const TESTS = {
  method: value => request => request.method.toLowerCase() === value.toLowerCase(),
  status: value => {
    if (!/^[1-5]?([0-9]{0,2}|[0-9]?x{0,2})$/i.test(value)) return null;
    const begin = value.toLowerCase().replace(/x+$/, '');
    return request => String(request.status ?? '').startsWith(begin) && Boolean(request.status);
  },
  path: value => request => request.path.toLowerCase().includes(value.toLowerCase()),
  route: value => request => (request.routeKey ?? '').toLowerCase() === value.toLowerCase(),
  api: value => request => request.apiId === value,
  slow: value => {
    const found = /^>?(\d+)(?:ms)?$/.exec(value);
    return found ? request => (request.latency ?? 0) > Number(found[1]) : value === '' || value === '>' ? () => true : null;
  },
  replay: value => /^(yes|no)$/.test(value) ? request => Boolean(request.replayOf) === (value === 'yes') : value === '' ? () => true : null,
};

/** A filter as a test of a summary, and the terms of it that are none. */
function filterOf(text) {
  const wrong = [];
  const tests = [];
  for (const [whole, minus, name, written, quoted] of text.matchAll(TERM)) {
    if (whole === '') continue;
    const value = quoted ?? written;
    let test = null;
    if (name === undefined) {
      const word = value.toLowerCase();
      test = request => [request.method, request.path, request.routeKey ?? '', String(request.status ?? ''), request.sourceIp ?? '', request.requestId].some(part => part.toLowerCase().includes(word));
    } else {
      test = Object.hasOwn(TESTS, name.toLowerCase()) ? TESTS[name.toLowerCase()](value) : null;
    }
    if (!test) wrong.push(whole.trim());
    else tests.push(minus ? request => !test(request) : test);
  }
  return {wrong, matches: request => wrong.length === 0 && tests.every(test => test(request))};
}

/** Scrolls by so much, on a page that is made longer where it is too short for that. */
function scrollOn(distance) {
  const room = document.documentElement.scrollHeight - innerHeight - scrollY;
  const {style} = byId('page');
  if (distance > room) style.paddingBottom = `${(parseFloat(style.paddingBottom) || 0) + distance - room}px`;
  scrollBy(0, distance);
}

async function requestsPage(context) {
  const first = context.query.get('filter');
  state.filter = first ?? '';
  let filter = filterOf(state.filter);
  const rows = new Map();
  const list = table('Requests', [['Time', 'tight'], ['Method', 'tight'], ['Path', 'path'], ['Status', 'tight'], ['Latency', 'num'], ['Integration', 'num'], 'Route'], {class: 'requests wide'});
  const empty = el('div', {class: 'empty'});
  const wrong = el('p', {class: 'error', id: newId('wrong'), hidden: true});
  const held = el('span', {class: 'hint'});
  let frozen = null;

  const search = el('input', {type: 'search', 'aria-label': 'Filter', 'aria-describedby': wrong.id, placeholder: 'Filter: method:POST status:5xx path:/pets slow:>200 -replay:yes', 'data-key': '/', 'aria-keyshortcuts': '/', autocomplete: 'off', spellcheck: 'false', on: {input: () => {
    state.filter = search.value;
    filter = filterOf(state.filter);
    history.replaceState(null, '', `#/requests${state.filter ? `?${new URLSearchParams({filter: state.filter})}` : ''}`);
    draw();
  }}});
  search.value = state.filter;
  const paused = el('input', {type: 'checkbox', id: newId('pause'), checked: state.isPaused, on: {change: () => {
    state.isPaused = paused.checked;
    frozen = state.isPaused ? [...state.requests] : null;
    announce(state.isPaused ? 'The list is paused' : 'The list is live again');
    draw();
  }}});
  const clear = button('Clear', async () => {
    try {
      await call('DELETE', own('requests'));
      state.requests = [];
      state.byId.clear();
      state.skipped = 0;
      frozen = state.isPaused ? [] : null;
      announce('Requests cleared');
      draw();
    } catch (error) {
      announce(refusalText(error));
    }
  });
  const capture = captureChoice();

  const open = row => go(['requests', row.dataset.id]);
  const fillRow = (row, request) => {
    row.className = request.state === 'pending' ? 'pending' : '';
    row.replaceChildren(
      el('td', {class: 'tight'}, time(request.time)),
      el('td', {class: 'tight method'}, clipped(request.method, 24)),
      el('td', {class: 'path'}, el('a', {href: `#/requests/${label(request.requestId)}`, tabindex: '-1'}, clipped(request.path, 160)), request.replayOf ? [' ', el('span', {class: 'tag'}, 'replay')] : null),
      el('td', {class: 'tight'}, statusMark(request.status, request.state)),
      el('td', {class: 'num'}, ms(request.latency)),
      el('td', {class: 'num'}, ms(request.integrationLatency)),
      el('td', {class: 'path'}, request.routeKey ? clipped(request.routeKey, 120) : el('span', {class: 'soft'}, 'none')));
    const stops = row.tabIndex === 0;
    for (const anchor of row.querySelectorAll('a')) anchor.tabIndex = stops ? 0 : -1;
  };

  const draw = () => {
    if (!context.isShown()) return;
    const began = performance.now();
    const source = frozen ?? state.requests;
    const wanted = source.filter(filter.matches);
    const marked = filter.wrong.length > 0;
    wrong.hidden = !marked;
    if (marked) search.setAttribute('aria-invalid', 'true');
    else search.removeAttribute('aria-invalid');
    wrong.textContent = marked ? `Not a term: ${plain(filter.wrong.join(' '), 120)}. Nothing is shown until it is mended. Terms: method: status: path: route: api: slow: replay: and words.` : '';
    const active = document.activeElement?.closest?.('tr');
    const kept = active && list.body.contains(active) ? active : null;
    // What is being read does not move: the row in hand, else the first one that is seen below the banner.
    const anchor = kept ?? (scrollY > 0 ? [...list.body.rows].find(row => row.getBoundingClientRect().bottom > 60) : null);
    const top = anchor?.getBoundingClientRect().top;
    const ids = new Set(wanted.map(request => request.requestId));
    for (const [id, row] of rows) {
      if (ids.has(id)) continue;
      // The row in hand stays until it is left.
      if (row === kept && state.byId.has(id)) continue;
      if (row === kept) (row.nextElementSibling ?? row.previousElementSibling)?.focus();
      row.remove();
      rows.delete(id);
    }
    let place = list.body.firstElementChild;
    for (const request of wanted) {
      let row = rows.get(request.requestId);
      if (!row) {
        row = el('tr', {tabindex: '-1', 'data-id': request.requestId});
        rows.set(request.requestId, row);
        row.drawn = undefined;
      }
      if (row.drawn !== (request.version ?? 0)) {
        fillRow(row, request);
        row.drawn = request.version ?? 0;
      }
      if (row === place) place = place.nextElementSibling;
      else list.body.insertBefore(row, place);
    }
    settleStops(list.body);
    if (anchor?.isConnected) scrollOn(anchor.getBoundingClientRect().top - top);
    list.whole.hidden = rows.size === 0;
    empty.hidden = rows.size > 0;
    if (rows.size === 0) {
      const url = webUrl(state.overview?.apis?.[0]?.endpoint ?? state.overview?.dataPlane ?? '');
      empty.replaceChildren(...source.length > 0
        ? [el('h2', null, 'No request fits the filter'), button('Show all', () => { search.value = ''; search.dispatchEvent(new Event('input')); search.focus(); })]
        : [el('h2', null, 'No requests yet'), el('p', null, 'Requests appear here as they come.'), url ? el('pre', null, `curl ${url.href}`) : '']);
    }
    const waiting = frozen ? state.requests.filter(request => !frozen.includes(request)).length : 0;
    const said = [wanted.length === source.length ? plural(source.length, 'request') : `${count(wanted.length)} of ${plural(source.length, 'request')}`];
    if (waiting > 0) said.push(`${count(waiting)} newer`);
    if (state.skipped > 0) said.push(`${count(state.skipped)} more came too fast to be told one by one`);
    if (held.textContent !== said.join('; ')) held.textContent = said.join('; ');
    performance.measure('requests', {start: began});
  };

  let waits = false;
  context.on.requests = () => {
    if (waits) return;
    waits = true;
    const run = () => {
      waits = false;
      draw();
    };
    soon(run);
  };
  walk(list.body, open);
  /** The key `r` on a row. The replay comes as any other request. */
  context.on.replay = async row => {
    if (!row) return;
    try {
      const entry = entryOf(await call('GET', own('requests', row.dataset.id)));
      if (!entry.hasDetail) announce('It cannot be replayed: only its summary is kept');
      else if (entry.replayable === false) announce('It cannot be replayed unchanged: its body was cut');
      else await replayOf(entry);
    } catch (error) {
      announce(refusalText(error));
    }
  };
  list.body.addEventListener('focusout', () => setTimeout(draw));
  if (!state.overview) await loadOverview();
  await loadRequests();
  if (state.isPaused) frozen = [...state.requests];
  context.put('Requests', head('Requests', `The last 200, newest first, in times of ${zoneName}. They are kept in memory, and gone when the gateway ends.`),
    el('div', {class: 'tools', role: 'search'}, el('div', {class: 'grow'}, search), el('label', {class: 'check'}, paused, 'Pause'), clear), wrong,
    el('p', {class: 'tools'}, held), list.whole, empty, capture);
  draw();
}

/** When heads and bodies are kept, and the choice of it. */
function captureChoice() {
  const capture = state.overview?.capture;
  const mode = capture?.mode ?? capture;
  const TEXTS = {auto: 'while a page watches', always: 'always', off: 'never'};
  if (!TEXTS[mode]) return null;
  const choice = el('select', {'aria-label': 'Capture', on: {change: async () => {
    try {
      await call('PUT', own('capture'), {mode: choice.value});
      announce(`Heads and bodies are kept ${TEXTS[choice.value]}`);
      await loadOverview();
    } catch (error) {
      announce(refusalText(error));
    }
  }}}, Object.entries(TEXTS).map(([value, text]) => el('option', {value, selected: value === mode}, text)));
  return el('div', {class: 'tools after'}, el('span', {class: 'hint'}, 'Heads and bodies are kept'), el('div', null, choice), el('span', {class: 'hint'}, 'Secrets are replaced before they are kept.'));
}

// ---------------------------------------------------------------------------------------------------------------------
// One request
// ---------------------------------------------------------------------------------------------------------------------

const STEPS = [
  ['received', 'Request read'], ['routed', 'Route found'], ['authorized', 'Authorized'], ['throttled', 'Let through'],
  ['integrationStart', 'Integration asked'], ['integrationHead', 'Its head came'], ['integrationEnd', 'Its answer ended'], ['sent', 'Answer sent'],
];

/** The parts of an entry, whatever of them was captured. */
function entryOf(said) {
  const detail = said.detail ?? said;
  const part = found => found ? {headers: found.headers ?? found.fields ?? [], body: found.body ?? null, ...found} : null;
  const has = Boolean(detail.request ?? detail.response);
  return {
    ...said, hasDetail: has,
    request: part(detail.request) ?? {headers: [], body: null},
    response: part(detail.response) ?? {headers: [], body: null},
    sent: part(detail.integrationRequest ?? detail.sent),
    explanation: detail.explanation ?? null, authorizer: detail.authorization ?? null,
    integrationErrorMessage: detail.integrationErrorMessage ?? null, timing: detail.timing ?? null,
  };
}

/** Sends a request once more. What was redacted is asked for. */
async function replayOf(entry, then) {
  const redacted = entry.request.headers.filter(([, value]) => isRedacted(value));
  const hasPath = isRedacted(entry.path);
  const run = async changes => {
    const answer = answerOf(await call('POST', own('requests', entry.requestId, 'replay'), changes ? {changes} : {}));
    announce(`Replayed: ${answer.status ?? 'no answer'}`);
    if (answer.requestId) await then?.(answer.requestId);
  };
  if (redacted.length === 0 && !hasPath) {
    await run();
    return;
  }
  const names = [...new Set(redacted.map(([name]) => name))];
  await formDialog({
    title: 'Replay',
    fields: [{node: el('p', null, 'Secrets were replaced when this request was captured. A field that is left empty is left out.')},
      ...hasPath ? [{name: 'path', label: 'Path', value: entry.path.replace(/«redacted, [^»]*»/g, ''), hint: 'Its query had secrets.'}] : [],
      ...names.map((name, index) => ({name: `field${index}`, label: plain(name, 80), kind: 'password'}))],
    submit: 'Replay',
    save: values => {
      const given = names.map((name, index) => [name, values[`field${index}`]]).filter(([, value]) => value !== '');
      const kept = entry.request.headers.filter(([, value]) => !isRedacted(value));
      return run({...given.length > 0 && {headers: [...kept, ...given]}, ...hasPath && {path: values.path}});
    },
  });
}

async function requestPage(context) {
  const {id} = context;
  let entry = null;
  let integrations = null;
  let tab = 0;
  const TABS = ['Request', 'Response', 'Timing', 'Route'];

  const replay = () => replayOf(entry, completeReplay);
  const completeReplay = async newId => {
    if (!state.byId.has(newId)) await loadRequests();
    draw();
  };

  const draw = () => {
    const cut = entry.replayable === false || entry.request.body?.cut === true;
    const replays = state.requests.filter(other => other.replayOf === id);
    const isDone = entry.state !== 'pending';
    const guarded = work => async event => {
      event.target.disabled = true;
      try {
        await work();
      } catch (error) {
        announce(refusalText(error));
      } finally {
        event.target.disabled = false;
      }
    };
    const note = cut ? el('p', {class: 'hint', id: newId('cut')}, 'Its body was cut when it was captured, so it cannot be replayed unchanged.') : null;
    const actions = entry.hasDetail ? [
      button('Replay', guarded(replay), {class: 'main', disabled: cut, 'data-key': 'r', 'aria-keyshortcuts': 'r', title: cut ? 'The body was cut: it cannot be replayed unchanged' : null, 'aria-describedby': note?.id}),
      button('Edit and replay', () => go(['try'], new URLSearchParams({from: id}))),
      button('Copy as curl', () => copy(curlOf(entry), 'curl command')),
      isDone ? button('Copy as case', guarded(async () => copy(await caseOf(entry), 'Case'))) : null,
    ] : null;
    const panels = [requestView, responseView, timingView, routeView].map(view => view(entry, integrations));
    const other = state.byId.get(entry.replayOf);
    const pair = item => [link(['requests', item.requestId], clipped(item.method, 24), ' ', clipped(item.path, 60)), ' ', statusMark(item.status, item.state), ' ', el('span', {class: 'hint'}, ms(item.latency), ', '), time(item.time)];
    context.put(`${entry.method} ${entry.path}`,
      head(`${entry.method} ${entry.path}`, null, {crumb: el('a', {href: `#/requests${state.filter ? `?${new URLSearchParams({filter: state.filter})}` : ''}`}, 'Requests')}),
      el('section', {'aria-label': 'Request', class: 'stack'},
        el('dl', {class: 'glance'}, [
          ['Status', [statusMark(entry.status, entry.state), ' ', REASONS[entry.status] ?? '']], ['Latency', ms(entry.latency)], ['Integration', ms(entry.integrationLatency)],
          ['Route', entry.routeKey ? clipped(entry.routeKey, 120) : 'none'], ['Time', time(entry.time, {long: true})],
        ].map(([name, value]) => el('div', null, el('dt', null, name), el('dd', null, value)))),
        actions ? el('div', {class: 'buttons'}, actions) : null, note,
        entry.replayOf || replays.length > 0 ? facts([
          ['Replay of', entry.replayOf ? el('span', null, other ? pair(other) : link(['requests', entry.replayOf], el('code', null, data(entry.replayOf)))) : null],
          ['Replays', replays.length > 0 ? el('ul', null, replays.map(item => el('li', null, pair(item)))) : null],
        ]) : null,
        entry.hasDetail ? null : el('p', {class: 'bar'}, isDone ? 'Only the summary is kept: no page watched when the request came.' : 'The request is under way.'),
        tabs('Request', TABS.map((name, index) => [name, panels[index]]), tab, name => { tab = TABS.indexOf(name); })));
  };

  const load = async () => {
    try {
      entry = entryOf(await call('GET', own('requests', id)));
      integrations ??= entry.apiId ? await objects(entry.apiId, 'integrations').catch(() => null) ?? [] : [];
    } catch (refusal) {
      if (refusal.status !== 404) throw refusal;
      context.put('Request is gone', head('Request is gone', 'The gateway keeps the last 200 requests, and this one is no longer among them.', {crumb: link(['requests'], 'Requests')}));
      return;
    }
    draw();
  };
  if (!state.overview) await loadOverview();
  if (state.requests.length === 0) await loadRequests().catch(() => {});
  await load();
  context.on.requests = summary => {
    if (!context.isShown() || !entry || document.querySelector('dialog')) return;
    if (summary?.requestId === id) load().catch(() => {});
    else if (summary?.replayOf === id) draw();
  };
}

function requestView({request, sent, method, path: target, sourceIp, bytesIn, requestId, hasDetail}) {
  if (!hasDetail) return facts([['Method', method], ['Path', target], ['Client', sourceIp], ['Body', bytesText(bytesIn)], ['Request id', requestId]]);
  return el('div', {class: 'stack'},
    facts([['Client', sourceIp], ['Request id', el('code', null, data(requestId))]]),
    el('div', {class: 'two'},
      el('section', {class: 'panel', 'aria-label': 'As received'}, el('h2', null, 'As received'), el('p', {class: 'line'}, data(`${method} ${target}`)), fieldTable('Fields as received', request.headers), request.headersCut ? el('p', {class: 'hint'}, 'More fields came than are kept.') : null),
      el('section', {class: 'panel', 'aria-label': 'As sent to the integration'}, el('h2', null, 'As sent to the integration'),
        sent ? [el('p', {class: 'line'}, data([sent.method, sent.url ?? sent.target ?? sent.path].filter(Boolean).join(' '))), fieldTable('Fields as sent', sent.headers)] : el('p', {class: 'hint'}, 'The integration was not asked.'))),
    el('section', {'aria-label': 'Body of the request'}, el('h2', null, 'Body'), bodyView(request.body, 'Body of the request')));
}

function responseView({response, status, state: now, bytesOut, integrationErrorMessage, hasDetail}) {
  if (now === 'pending') return el('p', {class: 'hint'}, 'There is no answer yet.');
  return el('div', {class: 'stack'},
    facts([['Status', el('span', null, statusMark(status), ' ', REASONS[status] ?? '')], ['Body', bytesText(bytesOut)], ['What failed', integrationErrorMessage]]),
    hasDetail ? [el('section', {class: 'panel', 'aria-label': 'Fields of the answer'}, el('h2', null, 'Fields'), fieldTable('Fields of the answer', response.headers)),
      el('section', {'aria-label': 'Body of the answer'}, el('h2', null, 'Body'), bodyView(response.body, 'Body of the answer'))] : null);
}

function timingView({timing, latency, integrationLatency}) {
  if (!timing) {
    return facts([['Latency', ms(latency)], ['Integration', ms(integrationLatency)]]);
  }
  const whole = Math.max(timing.sent ?? 0, ...Object.values(timing).filter(Number.isFinite), 1);
  const parts = [];
  const [start, end] = [timing.integrationStart, timing.integrationEnd ?? timing.integrationHead];
  const asked = start !== undefined && start !== null;
  const inside = asked ? (end ?? whole) - start : 0;
  parts.push(['Gateway', asked ? [[0, start], [end ?? whole, whole]] : [[0, whole]], whole - inside, 'fill-b']);
  if (asked) parts.push(['Integration', [[start, end ?? whole]], inside, 'fill-a']);
  const bars = el('div', {class: 'bars', 'aria-hidden': 'true'}, parts.map(([name, spans, sum, kind]) => [
    el('span', null, name),
    el('div', {class: 'track'}, svg('svg', {width: '100%', height: '100%', viewBox: '0 0 1000 10', preserveAspectRatio: 'none'}, spans.map(([from, to]) =>
      svg('rect', {x: (from / whole * 1000).toFixed(1), y: 0, width: Math.max(2, (to - from) / whole * 1000).toFixed(1), height: 10, class: kind})))),
    el('span', {class: 'num'}, msOfMicros(sum))]));
  const sums = table('Gateway and integration', ['Part', ['Time', 'num'], ['Share', 'num']]);
  for (const [name, , sum] of [...parts, ['Whole', null, whole]]) {
    sums.body.append(el('tr', null, el('th', {scope: 'row'}, name), el('td', {class: 'num'}, msOfMicros(sum)), el('td', {class: 'num'}, `${(sum / whole * 100).toFixed(1)} %`)));
  }
  const steps = table('Steps', ['Step', ['After', 'num'], ['Took', 'num']]);
  let before = 0;
  for (const [name, text] of STEPS) {
    const at = timing[name];
    if (at === undefined || at === null) continue;
    steps.body.append(el('tr', null, el('th', {scope: 'row'}, text), el('td', {class: 'num'}, msOfMicros(at)), el('td', {class: 'num'}, msOfMicros(Math.max(0, at - before)))));
    before = at;
  }
  return el('div', null, bars, el('div', {class: 'two'}, sums.whole, steps.whole));
}

function routeView({explanation, authorizer, routeKey, apiId, stage}, integrations) {
  return el('div', {class: 'stack'},
    explanation ? explanationView({routeKey, ...explanation}, integrations) : facts([['API', apiId], ['Stage', stage], ['Route', routeKey || 'none']]),
    authorizer ? el('section', {class: 'panel', 'aria-label': 'Authorizer'}, el('h2', null, 'Authorizer'), typeof authorizer === 'object' ? facts(Object.entries(authorizer).map(([name, value]) => [upperFirst(name.replace(/([A-Z])/g, ' $1').toLowerCase()), textOf(value)])) : el('p', null, data(authorizer))) : null,
    apiOf(apiId) ? el('p', {class: 'small'}, link(['apis', apiId, 'routes'], `Routes of ${apiName(apiId)}`)) : null);
}

// ---------------------------------------------------------------------------------------------------------------------
// Try it
// ---------------------------------------------------------------------------------------------------------------------

/** The answer to a request that the gateway sent for the page. */
function answerOf(said) {
  const answer = said?.answer ?? said?.response ?? said ?? {};
  return {...answer, requestId: said?.requestId, headers: answer.headers ?? answer.fields ?? [], body: typeof answer.body === 'string' ? {text: answer.body} : answer.body ?? null};
}

function headersOf(text) {
  return text.split('\n').filter(line => line.trim() !== '').map(line => {
    const at = line.indexOf(':');
    if (at < 1) throw new FieldError('headers', `${plain(line, 80)}: a line is name: value`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
}

async function tryPage(context) {
  await loadOverview();
  const {apis = []} = state.overview;
  const from = context.query.get('from');
  let entry = null;
  if (from) {
    try {
      entry = entryOf(await call('GET', own('requests', from)));
    } catch (refusal) {
      announce(refusal.status === 404 ? 'That request is gone' : refusalText(refusal));
    }
  }
  if (apis.length === 0 && !entry) {
    context.put('Try it', head('Try it', 'Send a request, and see which route answers it and why.'), el('div', {class: 'empty'}, el('h2', null, 'No API yet'), el('p', null, 'Create an API first. ', link(['apis'], 'APIs'))));
    return;
  }
  const left = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);
  const given = entry ? entry.request.headers.filter(([name, value]) => !left.has(name.toLowerCase()) && !isRedacted(value)) : [];
  const redacted = entry ? entry.request.headers.filter(([, value]) => isRedacted(value)).map(([name]) => name) : [];
  const isBinary = entry !== null && !isText(entry.request.body);
  const chosen = entry?.apiId ?? context.query.get('api') ?? apis[0]?.apiId;
  const methods = METHODS.filter(method => method !== 'ANY');
  if (entry && !methods.includes(entry.method)) methods.push(entry.method);
  const why = el('section', {class: 'panel', 'aria-label': 'Why this route'});
  const answer = el('section', {class: 'panel', 'aria-label': 'Answer'});
  const bodyHint = entry?.request.body?.cut ? 'The body was cut when it was captured: what is here is its beginning.' : isBinary ? `Left as it is, the ${count(lengthOf(entry.request.body))} bytes of the original are sent, which are not UTF-8.` : null;
  const known = {};
  let current = null;
  let said = '';

  const explain = async values => {
    const asked = JSON.stringify([values.api, values.method, values.path]);
    if (asked === said) return;
    said = asked;
    current?.abort();
    current = new AbortController();
    const {signal} = current;
    await pause(120);
    if (signal.aborted || !context.isShown()) return;
    try {
      known[values.api] ??= objects(values.api, 'integrations').catch(() => null);
      const integrations = await known[values.api] ?? [];
      const explanation = values.path.startsWith('/') ? await call('POST', own('explain'), {apiId: values.api, method: values.method, path: values.path.split(/[?#]/)[0]}, {signal}) : {why: 'A path begins with /'};
      if (!signal.aborted) why.replaceChildren(el('h2', null, 'Why this route'), explanationView(explanation, integrations));
    } catch (error) {
      if (!signal.aborted) why.replaceChildren(el('h2', null, 'Why this route'), el('p', {class: 'hint'}, plain(refusalText(error))));
    }
  };

  const composer = form({
    attributes: {'aria-label': 'Request', class: 'form panel'},
    fields: [
      ...entry ? [{node: el('p', {class: 'hint'}, 'Sent as a replay of ', link(['requests', from], clipped(`${entry.method} ${entry.path}`, 80)), ', which stays as it is.')}] : [],
      {name: 'api', label: 'API', kind: 'select', value: chosen, options: apis.map(api => [api.apiId, `${api.name ?? ''} (${api.apiId})`])},
      {name: 'method', label: 'Method', kind: 'select', value: entry?.method ?? 'GET', options: methods},
      {name: 'path', label: 'Path', value: entry?.path ?? context.query.get('path') ?? '/', required: true, isMain: true, key: '/', hint: 'With the stage, if it is not $default, and the query.'},
      {name: 'headers', label: 'Headers', kind: 'area', rows: 3, value: given.map(([name, value]) => `${name}: ${value}`).join('\n'), placeholder: 'name: value', hint: redacted.length > 0 ? `One a line. These were redacted and are left out: ${plain(redacted.join(', '), 200)}.` : 'One a line.'},
      {name: 'body', label: 'Body', kind: 'area', rows: 6, value: entry && !isBinary ? entry.request.body?.text ?? '' : '', hint: bodyHint},
    ],
    submit: 'Send',
    changed: explain,
    async save(values) {
      const request = {method: values.method, path: values.path, headers: headersOf(values.headers)};
      if (values.body === '' && isBinary) request.bodyBase64 = entry.request.body.base64;
      else request.body = values.body;
      const began = performance.now();
      answer.replaceChildren(el('h2', null, 'Answer'), el('p', {class: 'hint'}, 'Waiting…'));
      let result = null;
      try {
        result = answerOf(entry ? await call('POST', own('requests', from, 'replay'), {changes: request}) : await call('POST', own('send'), {apiId: values.api, ...request}));
      } catch (error) {
        answer.replaceChildren(el('h2', null, 'Answer'), el('p', {class: 'error'}, data(refusalText(error))));
        throw error;
      }
      const took = result.latency ?? Math.round(performance.now() - began);
      announce(`Answered ${result.status} ${result.reason ?? REASONS[result.status] ?? ''} after ${ms(took)}`);
      answer.replaceChildren(el('h2', null, 'Answer'), el('div', {class: 'stack'},
        el('dl', {class: 'glance'}, [
          ['Status', [statusMark(result.status), ' ', data(result.reason ?? REASONS[result.status] ?? '')]], ['Time', ms(took)],
        ].map(([name, value]) => el('div', null, el('dt', null, name), el('dd', null, value)))),
        fieldTable('Fields of the answer', result.headers),
        bodyView(result.body, 'Body of the answer'),
        result.requestId ? el('p', {class: 'small'}, link(['requests', result.requestId], 'The whole way of this request')) : null));
    },
  });
  composer.send.title = 'Ctrl+Enter';
  composer.send.setAttribute('aria-keyshortcuts', 'Control+Enter');
  composer.element.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      composer.element.requestSubmit();
    }
  });
  answer.replaceChildren(el('h2', null, 'Answer'), el('p', {class: 'hint'}, 'Sent by the gateway to its own listener, as any client would.'));
  if (!why.firstChild) why.append(el('h2', null, 'Why this route'));
  context.put('Try it', head('Try it', 'Send a request, and see which route answers it and why.'),
    el('div', {class: 'two'}, composer.element, el('div', {class: 'stack'}, why, answer)));
}

// ---------------------------------------------------------------------------------------------------------------------
// Metrics
// ---------------------------------------------------------------------------------------------------------------------

const SECONDS = 300;
const MEANINGS = {
  p50: 'Half of the requests took that long or less', p99: '99 of 100 requests took that long or less',
  '4xx': 'Answers with a status from 400 to 499', '5xx': 'Answers with a status from 500 to 599',
};
const meant = text => MEANINGS[text.split(' ')[0]] ?? null;


/** Lines over the last five minutes. Each series is `[name, class, values]`; what is missing is a gap. */
function plot(name, series, unit) {
  const [width, height] = [600, 140];
  const top = Math.max(1, ...series.flatMap(([, , values]) => values.filter(value => value !== null)));
  const x = index => (index / (SECONDS - 1) * width).toFixed(1);
  const y = value => (height - value / top * (height - 8)).toFixed(1);
  const lines = series.map(([, kind, values]) => {
    let [line, dots] = ['', ''];
    const isThere = index => (values[index] ?? null) !== null;
    values.forEach((value, index) => {
      if (!isThere(index)) return;
      const place = `${x(index)} ${y(value)}`;
      if (isThere(index - 1)) line += `L${place}`;
      else if (isThere(index + 1)) line += `M${place}`;
      // A point alone is seen, too.
      else dots += `M${place}h0`;
    });
    return [[line, kind], [dots, `${kind} dot`]].map(([d, of]) => d ? svg('path', {d, class: of}) : null);
  });
  return el('figure', null,
    el('div', {class: 'key', 'aria-hidden': 'true'}, series.map(([text, kind]) => el('span', {title: meant(text)}, svg('svg', {viewBox: '0 0 24 12'}, svg('path', {d: 'M0 6h24', class: kind})), text)), el('span', null, `top: ${count(Math.round(top * 10) / 10)} ${unit}`)),
    svg('svg', {class: 'plot', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${name} of the last five minutes`},
      svg('path', {class: 'grid', d: `M0 ${height}h${width}M0 ${height / 2}h${width}`}), lines),
    el('div', {class: 'tools hint ends', 'aria-hidden': 'true'}, el('span', {class: 'grow'}, '5 min ago'), el('span', null, 'now')));
}

async function metricsPage(context) {
  let wanted = '';
  await loadOverview();
  const draw = async () => {
    const said = await call('GET', own('metrics'));
    if (!context.isShown()) return;
    const points = pointsOf(said, wanted);
    const of = name => points.map(point => point?.[name] ?? null);
    const minutes = [0, 1, 2, 3, 4].map(index => points.slice(index * 60, index * 60 + 60));
    const sum = (list, name) => list.reduce((total, point) => total + (point?.[name] ?? 0), 0);
    const most = (list, name) => {
      const found = list.map(point => point?.[name]).filter(value => value !== null && value !== undefined);
      return found.length > 0 ? Math.max(...found) : null;
    };
    const perMinute = (name, columns) => {
      const found = table(name, ['Minutes ago', ...columns.map(([text]) => el('th', {scope: 'col', class: 'num', title: meant(text)}, text))]);
      minutes.forEach((list, index) => found.body.append(el('tr', null, el('th', {scope: 'row'}, `${5 - index} to ${4 - index}`), columns.map(([, value]) => el('td', {class: 'num'}, value(list))))));
      return found.whole;
    };
    
    const section = (title, ...content) => el('section', {class: 'panel', 'aria-label': title}, el('h2', null, title), content);
    const choice = el('select', {'aria-label': 'API', on: {change: () => {
      wanted = choice.value;
      draw().catch(() => {});
    }}}, el('option', {value: ''}, 'All APIs'), (state.overview.apis ?? []).map(api => el('option', {value: api.apiId, selected: api.apiId === wanted}, plain(`${api.name} (${api.apiId})`, 80))));
    context.put('Metrics', head('Metrics', 'The last five minutes, second by second. Prometheus has the rest: GET /metrics of this listener.'),
      el('div', {class: 'tools apart'}, el('div', null, choice), el('span', {class: 'hint'}, 'As of ', time(Date.now()))),
      el('div', {class: 'two'},
        section('Requests', plot('Requests', [['requests a second', 'a', of('requests').map(value => value ?? 0)]], 'a second'), perMinute('Requests', [['Requests', list => count(sum(list, 'requests'))], ['Most in a second', list => count(most(list, 'requests') ?? 0)]])),
        section('Errors', plot('Errors', [['4xx', 'a', of('status4xx').map(value => value ?? 0)], ['5xx', 'b', of('status5xx').map(value => value ?? 0)]], 'a second'), perMinute('Errors', [['4xx', list => count(sum(list, 'status4xx'))], ['5xx', list => count(sum(list, 'status5xx'))]])),
        section('Latency', plot('Latency', [['p50', 'a', of('latencyP50')], ['p99', 'b', of('latencyP99')]], 'ms'), perMinute('Latency', [['p50 at most', list => ms(most(list, 'latencyP50'))], ['p99 at most', list => ms(most(list, 'latencyP99'))]])),
        section('Integration latency', plot('Integration latency', [['p50', 'a', of('integrationP50')]], 'ms'), perMinute('Integration latency', [['p50 at most', list => ms(most(list, 'integrationP50'))]]))));
  };
  await draw();
  const again = sparing(2000, () => { if (context.isShown()) draw().catch(() => {}); });
  context.on.requests = again;
}


/** Points of one API or of all, oldest first, one a second. */
function pointsOf(said, apiId) {
  const apis = said?.apis ?? {};
  const list = apiId ? (Array.isArray(apis) ? apis.find(one => one.apiId === apiId)?.points : apis[apiId]?.points ?? apis[apiId]) : said?.all?.points ?? said?.all ?? said?.points ?? (Array.isArray(said) ? said : null);
  const points = list ?? [];
  return [...Array(Math.max(0, SECONDS - points.length)).fill(null), ...points].slice(-SECONDS);
}

// ---------------------------------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------------------------------

const KEYS = [
  [['g', 'a'], 'APIs'], [['g', 'r'], 'Requests'], [['g', 't'], 'Try it'], [['g', 'm'], 'Metrics'], [['g', 'p'], 'Problems'],
  [['/'], 'Filter'], [['n'], 'Create or Add'], [['r'], 'Replay'], [['↑', '↓'], 'Rows of a table'], [['Enter'], 'Open the row'], [['Ctrl', 'Enter'], 'Send, in Try it'], [['Esc'], 'Close a dialog'], [['?'], 'These keys'],
];
const PLACES = {a: 'apis', r: 'requests', t: 'try', m: 'metrics', p: 'problems'};
let hasKeys = true;
let isGoing = 0;

function showKeys() {
  const box = el('input', {type: 'checkbox', id: newId('keys'), checked: hasKeys, on: {change: () => { hasKeys = box.checked; }}});
  const dialog = openDialog('Keys', el('dl', {class: 'keys'}, KEYS.map(([keys, text]) => [el('dt', null, keys.map((one, index) => [index > 0 ? ' ' : null, el('kbd', null, one)])), el('dd', null, text)])),
    el('div', {class: 'form'}, el('label', {class: 'check'}, box, 'Single letters are keys'), el('div', {class: 'buttons'}, button('Close', () => dialog.close(), {class: 'main'}))));
  dialog.querySelector('button').focus();
}

function pressed(event) {
  const isTyping = event.target.closest?.('input:not([type="checkbox"]), textarea, select');
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  if (isTyping) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  if (!hasKeys && event.key !== '?') return;
  const was = Date.now() - isGoing < 1500;
  isGoing = 0;
  if (was && PLACES[event.key]) {
    event.preventDefault();
    go([PLACES[event.key]]);
  } else if (event.key === 'g') {
    isGoing = Date.now();
  } else if (event.key === '?') {
    event.preventDefault();
    showKeys();
  } else {
    const control = ['/', 'n', 'r'].includes(event.key) ? byId('page').querySelector(`[data-key="${event.key}"]:not(:disabled)`) : null;
    if (!control && event.key === 'r' && !event.repeat) page.on.replay?.(document.activeElement?.closest('tr[data-id]'));
    if (!control) return;
    event.preventDefault();
    if (event.key === '/') {
      control.focus();
      control.select?.();
    } else {
      // A dialog gives the focus back to where it was.
      control.focus();
      control.click();
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Start
// ---------------------------------------------------------------------------------------------------------------------

document.addEventListener('DOMContentLoaded', () => {
  renderTheme();
  byId('theme').addEventListener('click', nextTheme);
  byId('keys').addEventListener('click', showKeys);
  document.addEventListener('keydown', pressed);
  document.querySelector('.skip').addEventListener('click', event => {
    event.preventDefault();
    byId('main').focus();
  });
  addEventListener('hashchange', () => show());
  show({focus: false}).finally(startStream);
});

})();
