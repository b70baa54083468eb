"""Stack traces of eight languages folded to the innermost exception and its root frame."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis import traces
from incidentnb.evidence.table import table_of

JAVA = """Payment of order 7 failed
com.shop.pay.PaymentException: could not charge ann; nested exception is java.net.ConnectException: refused
\tat com.shop.pay.PaymentService.charge(PaymentService.java:88)
\tat com.shop.web.OrderController.create(OrderController.java:41)
\tat java.base/java.lang.Thread.run(Thread.java:829)
\tSuppressed: java.io.IOException: close
\t\tat com.shop.pay.Pool.close(Pool.java:9)
Caused by: java.net.ConnectException: Connection refused (10.0.0.7:443)
\tat java.base/sun.nio.ch.Net.connect(Net.java:12)
\tat org.apache.http.impl.Sender.send(Sender.java:33)
\tat com.shop.pay.Gateway.open(Gateway.java:17) ~[shop.jar:1.4]
\t... 2 more"""
JAVA_SHORT = """java.lang.IllegalStateException: wrapped
\tat org.springframework.web.Filter.run(Filter.java:8)
\tat com.shop.web.Api.call(Api.java:5)
\tat java.lang.Thread.run(Thread.java:1)
Caused by: java.lang.NullPointerException
\tat java.util.Objects.requireNonNull(Objects.java:4)
\t... 2 more"""
PYTHON = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 12, in total
    return sum(prices[i] for i in items)
  File "/usr/lib/python3.12/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/shop/api.py", line 40, in create
    raise Refused("order 7")
shop.errors.Refused: order 7"""
NODE = """TypeError: Cannot read properties of undefined (reading 'amount')
    at JSON.parse (<anonymous>)
    at Layer.handle (/srv/app/node_modules/express/lib/router/layer.js:95:5)
    at Cart.total (/srv/app/src/cart.js:120:12)
    at async Promise.all (index 0)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
NODE_CAUSE = """Error: checkout failed
    at checkout (/srv/app/src/checkout.js:9:11)
    at process.emit (node:events:1:1) {
  [cause]: RangeError: bad amount
      at parse (/srv/app/src/money.js:3:9)
}"""
BROWSER = "TypeError: x is undefined\ntotal@https://shop.example/static/cart.js:12:7\n@https://shop.example/static/main.js:1:1"
NET = """System.InvalidOperationException: Could not charge order 7
 ---> Npgsql.NpgsqlException (0x80004005): Exception while reading
 ---> System.TimeoutException: Timeout during reading attempt
   at Npgsql.Internal.NpgsqlConnector.ReadMessage(Boolean async) in /_/src/Npgsql/NpgsqlConnector.cs:line 88
   at Shop.Pay.Gateway.Charge(Order order) in /src/Pay/Gateway.cs:line 17
   --- End of inner exception stack trace ---
   at Shop.Web.OrdersController.Create(OrderDto dto) in /src/Web/OrdersController.cs:line 41"""
GO = """panic: runtime error: index out of range [5] with length 3 [recovered]

goroutine 34 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e
main.recoverer.func1()
\t/app/main.go:20 +0x1d
panic({0x6a5f20?, 0xc0000163a8?})
\t/usr/local/go/src/runtime/panic.go:785 +0x132
github.com/shop/pay.(*Cart).Total(0xc00001, 0x7)
\t/app/pay/cart.go:88 +0x1d
main.main()
\t/app/main.go:12 +0x1d"""
ZAP = "main.charge\n\t/app/pay.go:12\nmain.main\n\t/app/main.go:9\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:250"
RUBY = """app/models/cart.rb:12:in `total': undefined method `amount' for nil:NilClass (NoMethodError)
\tfrom /usr/lib/ruby/gems/3.0.0/gems/rack-2.2/lib/rack/handler.rb:3:in `call'
\tfrom config.ru:9:in `<main>'"""
RAILS = """ActiveRecord::RecordNotFound (Couldn't find Order with 'id'=7):

/usr/lib/ruby/gems/3.0.0/gems/activerecord-7/lib/core.rb:99:in `find'
app/controllers/orders_controller.rb:12:in `show'"""
PHP = """PHP Fatal error:  Uncaught TypeError: total(): Argument #1 must be int, string given in /app/vendor/money/Sum.php:30
Stack trace:
#0 /app/src/Cart.php(34): Money\\Sum->add('seven')
#1 /app/public/index.php(9): Shop\\Cart->total(Array)
#2 {main}
  thrown in /app/vendor/money/Sum.php on line 30"""
LARAVEL = """Undefined variable $total {"exception":"[object] (ErrorException(code: 0): Undefined variable $total at /app/src/Cart.php:12)
[stacktrace]
#0 /app/vendor/laravel/framework/Handle.php(250): Illuminate\\Handle->handleError(2, 'Undefined...', '/app/src/Cart.php', 12)
#1 /app/src/Cart.php(12): Illuminate\\Handle->Illuminate\\{closure}(2)
#2 /app/public/index.php(9): Shop\\Cart->total()
"}"""
RUST = """thread 'main' panicked at src/cart.rs:10:5:
index out of bounds: the len is 3 but the index is 5
stack backtrace:
   0: rust_begin_unwind
             at /rustc/9fc6b4312/library/std/src/panicking.rs:665:5
   1: core::panicking::panic_fmt
             at /rustc/9fc6b4312/library/core/src/panicking.rs:74:14
   2: shop::cart::total
             at ./src/cart.rs:10:5
   3: shop::main
             at ./src/main.rs:4:5"""
KNOWN = {
    "java": (JAVA, "java.net.ConnectException", "com.shop.pay.Gateway.open (Gateway.java:17)"),
    "java, library frames alone": (JAVA_SHORT, "java.lang.NullPointerException", "com.shop.web.Api.call (Api.java:5)"),
    "python": (PYTHON, "json.decoder.JSONDecodeError", "total (cart.py:12)"),
    "node": (NODE, "TypeError", "Cart.total (cart.js:120)"),
    "node, cause": (NODE_CAUSE, "RangeError", "parse (money.js:3)"),
    "browser": (BROWSER, "TypeError", "total (cart.js:12)"),
    ".net": (NET, "System.TimeoutException", "Shop.Pay.Gateway.Charge (Gateway.cs:17)"),
    "go": (GO, "panic: runtime error: index out of range", "pay.(*Cart).Total (cart.go:88)"),
    "go, zap": (ZAP, "", "main.charge (pay.go:12)"),
    "ruby": (RUBY, "NoMethodError", "total (cart.rb:12)"),
    "rails": (RAILS, "ActiveRecord::RecordNotFound", "show (orders_controller.rb:12)"),
    "php": (PHP, "TypeError", "Shop\\Cart->total (Cart.php:34)"),
    "laravel": (LARAVEL, "ErrorException", "Shop\\Cart->total (Cart.php:12)"),
    "rust": (RUST, "panic", "shop::cart::total (cart.rs:10)"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_traces(name):
    """The innermost exception and its first own frame are read off a trace of each language."""
    text, exception, frame = KNOWN[name]
    found = traces.fold(traces.key(text))
    assert (found.exception, found.frame.where) == (exception, frame)


@pytest.mark.parametrize("name", KNOWN)
def test_varying_text_folds_alike(name):
    """Other texts of the exceptions, other lines of the code and other addresses are the same shape."""
    text = KNOWN[name][0]
    other = re.sub(r"order 7|ann\b|0xc0000\w+|with length 3|reading 'amount'|\$total ", "Zoë's 99", text)
    other = re.sub(r"(?<=[\w.]:)88|(?<=line )17|(?<=\.js:)120", "77", other)
    assert traces.fold(traces.key(other)).shape() == traces.fold(traces.key(text)).shape()


def test_two_causes_under_one_wrapper_are_two():
    """Another innermost cause, or another root frame of the same exception, is another shape."""
    same = traces.fold(traces.key(JAVA)).shape()
    assert traces.fold(traces.key(JAVA.replace("java.net.ConnectException: Conn", "java.net.SocketTimeoutException: Conn"))).shape() != same
    assert traces.fold(traces.key(JAVA.replace("Gateway.open", "Gateway.read"))).shape() != same


def test_receiver_of_a_script_is_no_other_cause():
    """Node names the type of the object that a method was called on; the function is the same."""
    one, two = (traces.fold(traces.key(f"Error: x\n    at {name}.price (/app/price.js:3:1)")).shape() for name in ("Cart", "Order"))
    assert one == two


def test_function_without_a_name_is_known_by_its_line():
    """Two anonymous functions of one file are told apart."""
    one, two = (traces.fold(traces.key(f"Error: x\n    at /app/a.js:{n}:1")).shape() for n in (3, 4))
    assert one != two


def test_engine_and_python_keep_alike():
    """The engine finds the trace in a column of its own, in the message, or with escaped line ends, and keeps of it what Python keeps."""
    texts = [text for text, *_ in KNOWN.values()]
    rows = [{"message": text, "error.stack": None} for text in texts] + [{"message": "failed", "error.stack": text} for text in texts]
    rows += [{"message": JAVA.replace("\n", "\\n").replace("\t", "\\t"), "error.stack": None}, {"message": "one line\nand two", "error.stack": "no"}]
    table = table_of(pd.DataFrame(rows).assign(line=range(len(rows))))
    held = traces.text_sql("message", traces.columns(table.columns))
    got = table.frame(f"SELECT {traces.key_sql(held)} AS kept FROM log ORDER BY line")["kept"].tolist()
    assert got[:-1] == [*map(traces.key, texts), *map(traces.key, texts), traces.key(JAVA)]
    assert not isinstance(got[-1], str) or traces.fold(got[-1]) is None


@given(st.text(alphabet="at File(\".java:12)\n\t#0> -", max_size=300) | st.text(max_size=300))
def test_any_text_is_no_error(text):
    """Any text at all folds to a trace or to nothing."""
    found = traces.fold(traces.key(text))
    assert found is None or found.shape()


def test_columns_that_hold_traces():
    """Columns are known by the last part of their names; those that only sound alike are not."""
    names = ["error.stack", "stack_trace", "exception.stacktrace", "err.stack", "exc_info", "traceback", "Exception"]
    assert set(traces.columns([*names, "trace_id", "error_rate", "user"])) == set(names)
