"""psycopg2: simple queries, client-side binding, named cursors, COPY, two-phase commit refused by the server."""

import io
import select

import psycopg2
import psycopg2.extras


def say(*what):
    print(*what, flush=True)


conn = psycopg2.connect("")
cur = conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
cur.execute("select * from every_type")
say([{name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()} for row in cur],
    [c.name for c in cur.description])
cur.execute("create table other.py2 (i serial, t text)")
psycopg2.extras.execute_values(cur, "insert into other.py2 (t) values %s returning i", [(f"v{n}",) for n in range(250)])
say(cur.rowcount)
psycopg2.extras.execute_batch(cur, "insert into other.py2 (t) values (%s)", [(n,) for n in range(250)], page_size=50)
cur.copy_expert("copy other.py2 from stdin", io.StringIO("1000\tcopied\n1001\t\\N\n"))
out = io.StringIO()
cur.copy_expert("copy (select * from other.py2 where i > 490 order by i) to stdout csv header", out)
say(out.getvalue())
conn.commit()
with conn.cursor("named", withhold=True) as named:
    named.itersize = 100
    named.execute("select i from other.py2 order by i")
    say(named.fetchmany(5), sum(1 for _ in named))
for statement in ("insert into other.py2 (i) values ('x')", "select * from nowhere", "selct"):
    try:
        cur.execute(statement)
    except psycopg2.Error as error:
        say(type(error).__name__, error.pgcode, error.pgerror, error.diag.statement_position)
        conn.rollback()
conn.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=True)
cur.execute("show default_transaction_read_only")
say(cur.fetchall(), conn.status, conn.server_version // 10000 > 14, conn.encoding)
conn.set_session(readonly=False)
cur.execute("listen py2; notify py2")
while not conn.notifies:
    select.select([conn], [], [], 5)
    conn.poll()
say(conn.notifies.pop().channel)
psycopg2.extras.register_uuid()
psycopg2.extras.register_composite("point3", cur)
cur.execute("select comp, u, r from every_type where i4 = 2147483647")
say(cur.fetchone())
cur.execute("drop table other.py2")
conn.close()
