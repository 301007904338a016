# A Lambda runtime client: python3 -u -c TEXT module.function. Standard library only.
import decimal, http.client, importlib, json, logging, os, re, sys, time, traceback

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime/"
link = http.client.HTTPConnection(API)


def call(method, path, body=None, headers=None):
    try:
        link.request(method, BASE + path, body, headers or {})
        answer = link.getresponse()
        return answer, answer.read()
    except (http.client.HTTPException, OSError):
        # The gateway ends, or has given up this process.
        link.close()
        os._exit(1)


def report(path, kind, message, trace=(), request_id=""):
    body = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": list(trace)}
    print("[ERROR] %s: %s\n%s" % (kind, message, "".join(trace)), file=sys.stderr, flush=True)
    headers = {"Lambda-Runtime-Function-Error-Type": kind, "Content-Type": "application/json"}
    call("POST", path, json.dumps(body).encode(), headers)


def init_failed(kind, message, trace=()):
    report("init/error", kind, message, trace)
    sys.exit(1)


def load(name):
    module, dot, function = name.rpartition(".")
    if not dot:
        init_failed("Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack" % name)
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        text = "Unable to import module '%s': %s" % (module, error)
        init_failed("Runtime.ImportModuleError", text, traceback.format_exc().splitlines(True))
    except SyntaxError as error:
        text = "Syntax error in module '%s': %s" % (module, error)
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        init_failed("Runtime.UserCodeSyntaxError", text, trace)
    except Exception as error:
        init_failed(type(error).__name__, str(error), traceback.format_exc().splitlines(True))
    if not hasattr(found, function):
        init_failed("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module))
    return getattr(found, function)


class Fields:
    def __init__(self, values):
        self.__dict__.update(values or {})


class Context:
    def __init__(self, headers):
        env = os.environ.get
        self.function_name = env("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = env("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = env("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = env("AWS_LAMBDA_LOG_STREAM_NAME")
        self.aws_request_id = headers.get("Lambda-Runtime-Aws-Request-Id")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self._deadline = int(headers.get("Lambda-Runtime-Deadline-Ms") or 0)
        self.client_context = None
        client = json.loads(headers.get("Lambda-Runtime-Client-Context") or "null")
        if client:
            self.client_context = Fields(client)
            self.client_context.client = Fields(client.get("client"))
        identity = json.loads(headers.get("Lambda-Runtime-Cognito-Identity") or "{}")
        self.identity = Fields({"cognito_identity_id": identity.get("cognitoIdentityId"),
                                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId")})

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message):
        print(message, flush=True)


def number(value):
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


root = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
sys.path[0] = root
wanted = re.fullmatch(r"AWS_Lambda_python(\d+\.\d+)", os.environ.get("AWS_EXECUTION_ENV", ""))
if wanted and wanted.group(1) != "%d.%d" % sys.version_info[:2]:
    print("the function's Runtime is python%s, and it runs on Python %d.%d"
          % (wanted.group(1), *sys.version_info[:2]), file=sys.stderr, flush=True)
# As in Lambda, what is logged is shown from the level that the function sets.
logs = logging.StreamHandler()
logs.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s\t%(message)s"))
logging.getLogger().addHandler(logs)
handler = load(sys.argv[1])
while True:
    answer, body = call("GET", "invocation/next")
    if answer.status != 200:
        sys.exit(1)
    headers = answer.headers
    request_id = headers.get("Lambda-Runtime-Aws-Request-Id")
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id") or ""
    failed = "invocation/%s/error" % request_id
    try:
        result = handler(json.loads(body), Context(headers))
    except Exception as error:
        # Without the frame of this client.
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
        report(failed, type(error).__name__, str(error), frames, request_id)
        continue
    try:
        text = json.dumps(result, default=number, ensure_ascii=False).encode()
    except Exception as error:
        text = "Unable to marshal response: %s" % error
        report(failed, "Runtime.MarshalError", text, (), request_id)
        continue
    call("POST", "invocation/%s/response" % request_id, text, {"Content-Type": "application/json"})
