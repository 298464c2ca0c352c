// lib/pq through database/sql: prepared statements, transactions, COPY IN, a listener, errors.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func say(what ...any) { fmt.Println(what...) }

func told(err error) string {
	var native *pq.Error
	if errors.As(err, &native) {
		return fmt.Sprint(native.Severity, native.Code, native.Message, native.Detail, native.Position, native.Constraint)
	}
	return fmt.Sprint(err)
}

func main() {
	for _, binary := range []string{"no", "yes"} {
		db, err := sql.Open("postgres", "binary_parameters="+binary)
		must(err)
		work(db)
		must(db.Close())
	}
	problems := make(chan error, 10)
	listener := pq.NewListener("", time.Second, time.Minute, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			problems <- err
		}
	})
	must(listener.Listen("pq"))
	db, err := sql.Open("postgres", "")
	must(err)
	_, err = db.Exec("notify pq")
	must(err)
	say((<-listener.Notify).Channel, listener.Ping(), len(problems))
	must(listener.Close())
}

func work(db *sql.DB) {
	_, err := db.Exec("create table other.pq (i int primary key, t text, b bytea); insert into other.pq values (0, 'zero', '\\x00')")
	must(err)
	statement, err := db.Prepare("insert into other.pq values ($1, $2, $3)")
	must(err)
	for i := 1; i < 30; i++ {
		result, err := statement.Exec(i, fmt.Sprint("t", i), []byte{byte(i), 0, 255})
		must(err)
		changed, _ := result.RowsAffected()
		if changed != 1 {
			say("changed", changed)
		}
	}
	must(statement.Close())
	tx, err := db.Begin()
	must(err)
	in, err := tx.Prepare(pq.CopyInSchema("other", "pq", "i", "t"))
	must(err)
	for i := 100; i < 200; i++ {
		_, err := in.Exec(i, fmt.Sprint("copied\t", i))
		must(err)
	}
	_, err = in.Exec()
	must(err)
	must(in.Close())
	must(tx.Commit())
	rows, err := db.Query("select i, t, b from other.pq where i < $1 or i > $2 order by i", 3, 197)
	must(err)
	for rows.Next() {
		var i int
		var t string
		var b []byte
		must(rows.Scan(&i, &t, &b))
		say(i, t, b)
	}
	must(rows.Err())
	types, err := db.Query("select * from every_type where i4 = $1", 2147483647)
	must(err)
	columns, _ := types.ColumnTypes()
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for types.Next() {
		must(types.Scan(values...))
		for i, column := range columns {
			if column.DatabaseTypeName() != "" {
				say(column.Name(), column.DatabaseTypeName(), fmt.Sprintf("%v", *values[i].(*any)))
			}
		}
	}
	several, err := db.Query("select 1; select 2")
	must(err)
	for more := true; more; more = several.NextResultSet() {
		for several.Next() {
			var n int
			must(several.Scan(&n))
			say(n)
		}
	}
	for _, statement := range []string{"selct", "select 1 / 0", "select * from nowhere", "insert into other.pq values (1)"} {
		_, err := db.Exec(statement)
		say(told(err))
	}
	_, err = db.Exec("select $1::int / 0", 1)
	say(told(err))
	serial, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
	must(err)
	_, err = serial.Exec("delete from other.pq where i = 1")
	say(told(err), serial.Rollback())
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(short, "select pg_sleep(60)")
	say(err != nil)
	_, err = db.Exec("drop table other.pq")
	must(err)
}
