// pgx: prepared and cached statements, batches (pipelines), COPY, listen, cancel by context, each execution mode.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func say(what ...any) { fmt.Println(what...) }

func told(err error) string {
	var native *pgconn.PgError
	if errors.As(err, &native) {
		return fmt.Sprint(native.Severity, native.Code, native.Message, native.Detail, native.Hint, native.Position, native.ConstraintName)
	}
	return fmt.Sprint(err)
}

func rows(conn *pgx.Conn, sql string, args ...any) {
	result, err := conn.Query(ctx, sql, args...)
	must(err)
	for result.Next() {
		values, err := result.Values()
		must(err)
		say(values...)
	}
	say(result.CommandTag(), told(result.Err()))
}

func main() {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		say("mode", mode)
		config, err := pgx.ParseConfig("default_query_exec_mode=" + mode)
		must(err)
		conn, err := pgx.ConnectConfig(ctx, config)
		must(err)
		work(conn)
		must(conn.Close(ctx))
	}
	pool, err := pgxpool.New(ctx, "pool_max_conns=5")
	must(err)
	results := make(chan int, 60)
	for i := 0; i < 60; i++ {
		go func() {
			var n int
			must(pool.QueryRow(ctx, "select $1::int * 2", i).Scan(&n))
			results <- n
		}()
	}
	sum := 0
	for i := 0; i < 60; i++ {
		sum += <-results
	}
	say("pool", sum)
	pool.Close()
}

func work(conn *pgx.Conn) {
	_, err := conn.Exec(ctx, "create table other.pgx (i int primary key, t text, at timestamptz)")
	must(err)
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"other", "pgx"}, []string{"i", "t", "at"}, pgx.CopyFromSlice(1000, func(i int) ([]any, error) {
		return []any{i, fmt.Sprint("t", i), time.Unix(int64(i), 0).UTC()}, nil
	}))
	say(count, err)
	for i := 0; i < 3; i++ {
		rows(conn, "select i, t from other.pgx where i < $1 order by i", i+2)
		rows(conn, "select id, name, tags from products where name = $1", fmt.Sprint("Product ", i))
	}
	rows(conn, "select b, i2, i4, i8, t, v, d, u from every_type where i4 = 2147483647")
	batch := &pgx.Batch{}
	for i := 0; i < 20; i++ {
		batch.Queue("select $1::int + 1", i)
	}
	batch.Queue("insert into other.pgx (i) values ($1)", 5000)
	results := conn.SendBatch(ctx, batch)
	for i := 0; i < 20; i++ {
		var n int
		must(results.QueryRow().Scan(&n))
		say(n)
	}
	tag, err := results.Exec()
	say(tag, err, results.Close())
	failing := &pgx.Batch{}
	failing.Queue("insert into other.pgx (i) values (6000)")
	failing.Queue("insert into other.pgx (i) values (1)")
	failing.Queue("select 1")
	say(told(conn.SendBatch(ctx, failing).Close()))
	rows(conn, "select count(*) from other.pgx where i >= 5000")

	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	must(err)
	_, err = tx.Exec(ctx, "insert into other.pgx (i) values (7000)")
	say(told(err), tx.Rollback(ctx))
	must(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		say(told(pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "select 1 / 0")
			return err
		})))
		_, err := tx.Exec(ctx, "insert into other.pgx (i) values (8000)")
		return err
	}))
	for _, sql := range []string{"selct 1", "select * from nowhere", "insert into products (name, price) values ('x', -1)", "select 1 / 0"} {
		_, err := conn.Exec(ctx, sql)
		say(told(err))
	}
	description, err := conn.Prepare(ctx, "named", "select id, price from products where feeling = $1")
	must(err)
	say(len(description.ParamOIDs), len(description.Fields), description.Fields[1].DataTypeOID)
	must(conn.Deallocate(ctx, "named"))
	var out strings.Builder
	copied, err := conn.PgConn().CopyTo(ctx, &out, "copy (select i, t from other.pgx where i > 997 order by i) to stdout")
	say(copied, out.String(), err)
	copied, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("9000\tx\n9001\t\\N\n"), "copy other.pgx (i, t) from stdin")
	say(copied, told(err))
	_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("x\ty\n"), "copy other.pgx (i, t) from stdin")
	say(told(err))
	several, err := conn.PgConn().Exec(ctx, "select 1; select 2; update products set stock = stock where id = 1").ReadAll()
	for _, result := range several {
		say(result.CommandTag, len(result.Rows))
	}
	say(told(err))
	_, err = conn.Exec(ctx, "listen pgx")
	must(err)
	_, err = conn.Exec(ctx, "notify pgx")
	must(err)
	notification, err := conn.WaitForNotification(ctx)
	must(err)
	say(notification.Channel)
	done := make(chan error)
	go func() { _, err := conn.Exec(ctx, "select pg_sleep(60)"); done <- err }()
	other, err := pgx.Connect(ctx, "")
	must(err)
	for active := 0; active == 0; {
		must(other.QueryRow(ctx, "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'PgSleep'").Scan(&active))
	}
	must(other.Close(ctx))
	say(conn.PgConn().CancelRequest(ctx), told(<-done))
	_, err = conn.Exec(ctx, "drop table other.pgx")
	must(err)
}
