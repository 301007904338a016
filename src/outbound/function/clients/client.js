// A Lambda runtime client: node -e TEXT -- file.export. Node's own modules only.
const http = require("http"), fs = require("fs"), path = require("path"), { pathToFileURL } = require("url");
const { Writable } = require("stream"), { createRequire } = require("module");
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":"), base = "/2018-06-01/runtime/";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let current = null;

const call = (method, where, body, headers = {}) => new Promise((resolve, reject) => {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  if (bytes) headers = { "Content-Type": "application/json", "Content-Length": bytes.length, ...headers };
  const request = http.request({ host, port, agent, method, path: base + where, headers }, (answer) => {
    const parts = [];
    answer.on("data", (part) => parts.push(part));
    answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }));
    answer.on("error", reject);
  });
  request.on("error", reject);
  request.end(bytes);
});

const told = (error) => {
  const is = error instanceof Error || (error && typeof error === "object" && "stack" in error);
  const lines = is ? String(error.stack).split("\n").filter((line) => !/\[eval\]|node:internal/.test(line)) : [];
  return { errorType: is ? error.name : typeof error, errorMessage: is ? error.message : String(error), trace: lines };
};
const report = (where, error) => {
  const body = told(error);
  console.error(`ERROR\t${body.errorType}: ${body.errorMessage}\n${body.trace.slice(1).join("\n")}`);
  return call("POST", where, JSON.stringify(body), { "Lambda-Runtime-Function-Error-Type": body.errorType });
};
const named = (name, message, cause) => Object.assign(new Error(message), { name }, cause && { stack: cause.stack });
const fatal = async (error) => {
  const id = current && current.id;
  try { await report(id ? `invocation/${id}/error` : "init/error", error); } finally { process.exit(1); }
};
process.on("uncaughtException", (error) => { fatal(error); });
process.on("unhandledRejection", (reason) => { fatal(named("Runtime.UnhandledPromiseRejection", String(reason && reason.message || reason), reason)); });

const STREAM = Symbol("stream");
class ResponseStream extends Writable {
  constructor() { super(); this.parts = []; this.metadata = null; this.contentType = null; }
  _write(part, encoding, done) { this.parts.push(Buffer.from(part, encoding)); done(); }
  setContentType(type) { this.contentType = type; }
}
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign((...all) => handler(...all), { [STREAM]: true }),
  HttpResponseStream: { from: (stream, metadata) => { stream.metadata = metadata; return stream; } },
};

const load = async (name) => {
  const file = path.basename(name), dot = file.indexOf(".");
  if (dot < 1 || dot === file.length - 1) throw named("Runtime.MalformedHandlerName", `Bad handler: ${name}`);
  const root = process.env.LAMBDA_TASK_ROOT || process.cwd();
  const stem = path.resolve(root, path.dirname(name), file.slice(0, dot)), keys = file.slice(dot + 1).split(".");
  let found = [".js", ".mjs", ".cjs", ""].map((end) => stem + end).find((one) => fs.existsSync(one) && fs.statSync(one).isFile());
  if (!found) {
    try { found = createRequire(root + "/")["resolve"](path.join(path.dirname(name), file.slice(0, dot))); } catch {
      throw named("Runtime.ImportModuleError", `Error: Cannot find module '${path.join(path.dirname(name), file.slice(0, dot))}' in ${root}`);
    }
  }
  let loaded;
  try { loaded = await import(pathToFileURL(found)); } catch (error) {
    const missing = error && ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes(error.code);
    if (missing) throw named("Runtime.ImportModuleError", `Error: ${error.message}`, error);
    if (error instanceof SyntaxError) throw named("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`, error);
    throw error;
  }
  const within = (from) => keys.reduce((value, key) => value == null ? undefined : value[key], from);
  const handler = within(loaded) ?? within(loaded.default);
  if (handler === undefined) throw named("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw named("Runtime.HandlerNotFound", `${name} is not a function`);
  return handler;
};

const buffered = async (handler, event, context) => {
  const stream = new ResponseStream();
  const finished = new Promise((resolve, reject) => { stream.on("finish", resolve); stream.on("error", reject); });
  await handler(event, stream, context);
  await finished;
  const bytes = Buffer.concat(stream.parts), text = bytes.toString(), isText = Buffer.from(text).equals(bytes);
  const body = { body: isText ? text : bytes.toString("base64"), isBase64Encoded: !isText };
  if (stream.metadata) return { ...stream.metadata, ...body };
  if (stream.contentType) return { statusCode: 200, headers: { "content-type": stream.contentType }, ...body };
  try { return JSON.parse(text); } catch { return text; }
};
const invoke = (handler, event, context) => new Promise((resolve, reject) => {
  const done = (error, result) => error === null || error === undefined ? resolve(result) : reject(error);
  Object.assign(context, { done, succeed: (result) => done(null, result), fail: (error) => done(error === undefined ? "handled" : error) });
  current.drained = () => resolve(null);
  if (handler[STREAM]) return buffered(handler, event, context).then(resolve, reject);
  const result = handler(event, context, done);
  if (result && typeof result.then === "function") result.then(resolve, reject);
  else if (result !== undefined && handler.length < 3) resolve(result);
});
// A handler that neither answers nor has anything left to do answers null.
process.on("beforeExit", () => { if (current && current.drained) current.drained(); });

(async () => {
  const wanted = /^AWS_Lambda_nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || "");
  if (wanted && wanted[1] !== process.versions.node.split(".")[0]) {
    console.error(`the function's Runtime is nodejs${wanted[1]}.x, and it runs on Node ${process.versions.node}`);
  }
  const handler = await load(process.env._HANDLER);
  const env = process.env;
  for (;;) {
    let next;
    try { next = await call("GET", "invocation/next"); } catch { process.exit(1); }
    if (next.status !== 200) process.exit(1);
    const header = (name) => next.headers[`lambda-runtime-${name}`], id = header("aws-request-id");
    env._X_AMZN_TRACE_ID = header("trace-id") || "";
    const deadline = Number(header("deadline-ms")), parsed = (text) => text ? JSON.parse(text) : undefined;
    current = { id };
    const context = {
      callbackWaitsForEmptyEventLoop: true, functionName: env.AWS_LAMBDA_FUNCTION_NAME, functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME, logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      awsRequestId: id, invokedFunctionArn: header("invoked-function-arn"), clientContext: parsed(header("client-context")), identity: parsed(header("cognito-identity")),
      getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    };
    let text;
    try { text = JSON.stringify(await invoke(handler, JSON.parse(next.text), context)) ?? "null"; } catch (error) {
      await report(`invocation/${id}/error`, error);
      current = null;
      continue;
    }
    current = null;
    await call("POST", `invocation/${id}/response`, text);
  }
})().catch(fatal);
