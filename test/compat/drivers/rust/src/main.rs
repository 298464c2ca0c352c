//! tokio-postgres: everything prepared and binary, pipelined by being polled together, portals, COPY, notices, cancel.

use std::{env, fs, pin::pin};

use futures_util::{future::join_all, stream, SinkExt, StreamExt, TryStreamExt};
use tokio_postgres::{types::Type, AsyncMessage, Client, Config, Error, NoTls, SimpleQueryMessage};

fn told(error: Error) -> String {
    match error.as_db_error() {
        Some(e) => format!("{} {:?} {} {:?} {:?} {:?} {:?}", e.severity(), e.code(), e.message(), e.detail(), e.hint(), e.position(), e.constraint()),
        None => error.to_string(),
    }
}

macro_rules! serve {
    ($connection:expr) => {{
        let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
        let mut connection = $connection;
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
            while let Some(Ok(message)) = messages.next().await {
                let _ = heard.send(match message {
                    AsyncMessage::Notice(notice) => format!("notice {}", notice.message()),
                    AsyncMessage::Notification(n) => format!("notification {}", n.channel()),
                    _ => String::new(),
                });
            }
        });
        hears
    }};
}

fn tls(ca: &str) -> tokio_postgres_rustls::MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    let pem = fs::read(ca).unwrap();
    for certificate in rustls_pemfile::certs(&mut pem.as_slice()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tokio_postgres_rustls::MakeRustlsConnect::new(config)
}

async fn connect(config: &Config) -> (Client, tokio::sync::mpsc::UnboundedReceiver<String>) {
    if let Ok(ca) = env::var("PGSSLROOTCERT") {
        let (client, connection) = config.connect(tls(&ca)).await.unwrap();
        (client, serve!(connection))
    } else {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        (client, serve!(connection))
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let var = |name: &str| env::var(name).unwrap();
    let mut config = Config::new();
    config.host(&var("PGHOST")).port(var("PGPORT").parse().unwrap()).user(&var("PGUSER")).password(var("PGPASSWORD")).dbname(&var("PGDATABASE"));
    config.application_name("rust").options("-c statement_timeout=60000");
    if env::var("PGSSLROOTCERT").is_ok() {
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
    }
    let (mut client, mut heard) = connect(&config).await;

    client.batch_execute("create table other.rust (i int primary key, t text, f float8); drop table if exists gone").await?;
    println!("{:?}", heard.recv().await);
    let insert = client.prepare_typed("insert into other.rust values ($1, $2, $3)", &[Type::INT4, Type::TEXT, Type::FLOAT8]).await?;
    let values: Vec<(i32, String)> = (0..100).map(|i| (i, format!("t{i}"))).collect();
    let inserted = join_all(values.iter().map(|(i, t)| {
        let (client, insert) = (&client, &insert);
        async move { client.execute(insert, &[i, t, &f64::from(*i)]).await }
    })).await;
    println!("{}", inserted.into_iter().map(|n| n.unwrap()).sum::<u64>());
    for i in 0..3 {
        let rows = client.query("select i, t, f from other.rust where i < $1 order by i", &[&(i + 2)]).await?;
        println!("{:?}", rows.iter().map(|r| (r.get::<_, i32>(0), r.get::<_, &str>(1), r.get::<_, f64>(2))).collect::<Vec<_>>());
    }
    let mood = client.prepare("select feeling, point(1, 2)::text, comp::text, r::text, $1::mood::text from products, every_type limit 1").await?;
    println!("{:?} {:?}", mood.params()[0].name(), mood.columns().iter().map(|c| (c.name().to_owned(), c.type_().name().to_owned())).collect::<Vec<_>>());

    let transaction = client.transaction().await?;
    let portal = transaction.bind("select i from other.rust order by i", &[]).await?;
    for rows in [10, 3, 0] {
        println!("{:?}", transaction.query_portal(&portal, rows).await?.iter().map(|r| r.get::<_, i32>(0)).collect::<Vec<_>>());
    }
    transaction.commit().await?;
    let mut transaction = client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::Serializable).start().await?;
    let savepoint = transaction.savepoint("s").await?;
    println!("{}", told(savepoint.execute("insert into other.rust values (1)", &[]).await.unwrap_err()));
    savepoint.rollback().await?;
    transaction.execute("insert into other.rust values (500)", &[]).await?;
    transaction.rollback().await?;

    let mut sink = pin!(client.copy_in::<_, bytes::Bytes>("copy other.rust (i, t) from stdin").await?);
    for i in 1000..1010 {
        sink.send(format!("{i}\tcopied {i}\n").into()).await?;
    }
    println!("{}", sink.as_mut().finish().await?);
    let mut broken = pin!(client.copy_in::<_, bytes::Bytes>("copy other.rust (i) from stdin").await?);
    broken.send("x\n".into()).await?;
    println!("{}", told(broken.as_mut().finish().await.unwrap_err()));
    let out: Vec<bytes::Bytes> = client.copy_out("copy (select i, t from other.rust where i > 98 order by i) to stdout").await?.try_collect().await?;
    println!("{:?}", String::from_utf8(out.concat()).unwrap());

    for message in client.simple_query("select 1 as a; update products set stock = stock where id < 3; select null as b").await? {
        match message {
            SimpleQueryMessage::Row(row) => println!("row {:?}", row.get(0)),
            SimpleQueryMessage::CommandComplete(n) => println!("complete {n}"),
            SimpleQueryMessage::RowDescription(columns) => println!("columns {:?}", columns.iter().map(|c| c.name().to_owned()).collect::<Vec<_>>()),
            _ => println!("else"),
        }
    }
    for sql in ["selct 1", "select * from nowhere", "select nothing(1)", "insert into products (name, price) values ('x', -1)", "select 1 / 0"] {
        println!("{}", told(client.query(sql, &[]).await.unwrap_err()));
    }
    let stream = client.query_raw("select filler from big", Vec::<String>::new()).await?;
    println!("{}", stream.try_fold(0, |sum, row| async move { Ok(sum + row.get::<_, &str>(0).len()) }).await?);

    let (other, _) = connect(&config).await;
    let token = client.cancel_token();
    let cancels = async {
        while other.query("select 1 from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'PgSleep'", &[]).await.unwrap().is_empty() {}
        match env::var("PGSSLROOTCERT") {
            Ok(ca) => token.cancel_query(tls(&ca)).await.unwrap(),
            Err(_) => token.cancel_query(NoTls).await.unwrap(),
        }
    };
    let (slept, ()) = tokio::join!(client.query("select pg_sleep(60)", &[]), cancels);
    println!("{}", told(slept.unwrap_err()));
    client.batch_execute("listen rust; notify rust").await?;
    println!("{:?}", heard.recv().await);
    client.batch_execute("drop table other.rust").await?;
    Ok(())
}
