"""psycopg 3: what a Python program does with it, as a transcript. Connects as libpq's environment says."""

import logging
import threading
import time
from datetime import date

import psycopg
from psycopg.rows import dict_row

# It warns of a pipeline's failure or not as the answers have come already or not.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def say(*what):
    print(*what, flush=True)


def failing(name, act):
    try:
        act()
        say(name, "passed")
    except psycopg.Error as error:
        d = error.diag
        say(name, type(error).__name__, error.sqlstate, d.severity, d.message_primary, d.message_detail, d.message_hint,
            d.statement_position, d.table_name, d.constraint_name)


with psycopg.connect("", application_name="psycopg 3") as conn:
    say("status", conn.info.transaction_status.name, conn.info.encoding, conn.info.parameter_status("application_name"))
    cur = conn.cursor()
    cur.execute("create table other.py (i int primary key, t text, d date, j jsonb, a int[], b bytea)")
    cur.executemany("insert into other.py values (%s, %s, %s, %s, %s, %s)", [
        (n, f"t{n}", date(2024, 1, n), psycopg.types.json.Jsonb({"n": n}), [n, None], bytes([n])) for n in range(1, 21)])
    say("rows", cur.rowcount)
    conn.commit()

    for binary in (False, True):
        with conn.cursor(binary=binary, row_factory=dict_row) as cur:
            for prepare in (None, True):
                for i in range(7):
                    rows = cur.execute("select * from other.py where i = %s", (i,), prepare=prepare).fetchall()
                    say(binary, prepare, rows, [(c.name, c.type_code) for c in cur.description])
            say(cur.execute("select * from every_type where i4 = 2147483647").fetchone())

    with conn.cursor(name="server side") as cur:
        cur.itersize = 7
        say("server side", list(cur.execute("select i from other.py order by i")))
    with conn.cursor(name="scrolling", scrollable=True) as cur:
        cur.execute("select i from other.py order by i")
        say(cur.fetchmany(3), cur.scroll(-2), cur.fetchone(), cur.scroll(15, mode="absolute"), cur.fetchall())

    with conn.pipeline() as pipeline:
        cursors = [conn.execute("select %s::int * 2", (n,)) for n in range(10)]
        pipeline.sync()
        say("pipeline", [c.fetchone() for c in cursors])
    conn.commit()

    def broken_pipeline():
        with conn.pipeline():
            conn.execute("select 1")
            conn.execute("select 1 / 0")
            conn.execute("select 2")

    failing("in a pipeline", broken_pipeline)
    conn.rollback()

    with conn.cursor() as cur:
        with cur.copy("copy other.py (i, t) from stdin") as copy:
            copy.write_row((100, "copied\tin"))
            copy.write_row((101, None))
        with cur.copy("copy other.py (i, t) from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((102, "binary"))
        for form in ("text", "binary"):
            with cur.copy(f"copy (select i, t, d from other.py order by i) to stdout (format {form})") as copy:
                copy.set_types(["int4", "text", "date"])
                say(form, list(copy.rows()))

    def broken_copy():
        with conn.cursor().copy("copy other.py (i) from stdin") as copy:
            copy.write("not a number\n")

    failing("in a copy", broken_copy)
    conn.rollback()

    failing("duplicate", lambda: conn.execute("insert into other.py values (1)"))
    failing("aborted", lambda: conn.execute("select 1"))
    conn.rollback()
    failing("syntax", lambda: conn.execute("selct %s", (1,)))
    conn.rollback()
    try:
        with conn.transaction():
            conn.execute("insert into other.py (i) values (200)")
            with conn.transaction():
                conn.execute("insert into other.py (i) values (201)")
                raise psycopg.Rollback()
    finally:
        say("savepoints", conn.execute("select i from other.py where i >= 200").fetchall())
    conn.commit()

    conn.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    say(conn.execute("show transaction_isolation").fetchone())
    conn.commit()
    conn.isolation_level = None

    notices = []
    conn.add_notice_handler(lambda d: notices.append((d.severity, d.message_primary)))
    conn.execute("drop table if exists gone")
    conn.commit()
    say(notices)

    # The cancel request is sent once the server is seen to run it.
    def cancel():
        with psycopg.connect("", autocommit=True) as other:
            while not other.execute("select 1 from pg_stat_activity where datname = current_database()"
                                    " and state = 'active' and wait_event = 'PgSleep'").fetchone() and not seen.wait(0.5):
                pass
        conn.cancel_safe()

    seen = threading.Event()
    threading.Timer(0.0, cancel).start()
    failing("cancelled", lambda: conn.execute("select pg_sleep(60)"))
    seen.set()
    conn.rollback()

    conn.autocommit = True
    conn.execute("listen py")
    with psycopg.connect("", autocommit=True) as other:
        other.execute("notify py, 'hello'")
    say([(n.channel) for n in conn.notifies(timeout=10, stop_after=1)])
    conn.execute("drop table other.py")
say("closed", conn.closed)
