import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** pgjdbc: server-prepared statements, batches, fetch sizes, COPY, metadata, updatable results, each query mode. */
public class Transcript {
  static void say(Object... what) {
    System.out.println(Arrays.deepToString(what));
  }

  static Connection connect(String... properties) throws SQLException {
    String ca = System.getenv("PGSSLROOTCERT");
    Properties all = new Properties();
    all.setProperty("user", System.getenv("PGUSER"));
    all.setProperty("password", System.getenv("PGPASSWORD"));
    all.setProperty("sslmode", ca == null ? "disable" : "verify-full");
    if (ca != null) all.setProperty("sslrootcert", ca);
    all.setProperty("gssEncMode", "disable");
    for (int i = 0; i < properties.length; i += 2) all.setProperty(properties[i], properties[i + 1]);
    return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"), all);
  }

  static List<List<Object>> rows(ResultSet result) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (int i = 1; i <= columns; i++) {
        Object value = result.getObject(i);
        row.add(value instanceof byte[] bytes ? Arrays.toString(bytes) : value instanceof java.sql.Array a ? a.toString() : String.valueOf(value));
      }
      rows.add(row);
    }
    return rows;
  }

  interface Act { void run() throws Exception; }

  static void failing(Act act) throws Exception {
    try {
      act.run();
      say("passed");
    } catch (BatchUpdateException error) {
      say("batch", error.getSQLState(), Arrays.toString(error.getUpdateCounts()), error.getNextException().getMessage());
    } catch (PSQLException error) {
      var told = error.getServerErrorMessage();
      say(error.getSQLState(), told == null ? error.getMessage() : told.getMessage(), told == null ? "" : told.getPosition() + " " + told.getConstraint() + " " + told.getDetail());
    }
  }

  public static void main(String[] args) throws Exception {
    for (String mode : new String[] {"extended", "simple", "extendedForPrepared", "extendedCacheEverything"}) {
      say("mode", mode);
      try (Connection connection = connect("preferQueryMode", mode, "prepareThreshold", "2", "binaryTransfer", "true", "ApplicationName", "jdbc")) {
        work(connection);
      }
    }
    try (Connection connection = connect("reWriteBatchedInserts", "true", "defaultRowFetchSize", "7", "autosave", "always")) {
      say("rewritten batches, fetch size, autosave");
      work(connection);
      connection.setAutoCommit(false);
      failing(() -> connection.createStatement().execute("select 1 / 0"));
      say(rows(connection.createStatement().executeQuery("select 'goes on'")));
      connection.commit();
    }
  }

  static void work(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.execute("create table other.jdbc (i int primary key, t text, n numeric, d timestamptz, b bytea, a int[])");
      say(statement.getUpdateCount(), statement.getWarnings());
      boolean more = statement.execute("select 1 as a; update products set stock = stock where id < 4; select 'x' as b");
      for (; more || statement.getUpdateCount() != -1; more = statement.getMoreResults()) say(more ? rows(statement.getResultSet()) : statement.getUpdateCount());
    }
    try (PreparedStatement insert = connection.prepareStatement("insert into other.jdbc values (?, ?, ?, ?, ?, ?)")) {
      for (int i = 0; i < 300; i++) {
        insert.setInt(1, i);
        insert.setString(2, i % 7 == 0 ? null : "t" + i);
        insert.setBigDecimal(3, new java.math.BigDecimal(i).movePointLeft(3));
        insert.setTimestamp(4, new Timestamp(i * 1000L));
        insert.setBytes(5, new byte[] {(byte) i, 0, -1});
        insert.setArray(6, connection.createArrayOf("int4", new Integer[] {i, null}));
        insert.addBatch();
      }
      int[] counts = insert.executeBatch();
      say(counts.length, Arrays.stream(counts).filter(c -> c != 1 && c != Statement.SUCCESS_NO_INFO).count());
    }
    try (PreparedStatement select = connection.prepareStatement("select * from other.jdbc where i = ? or t = ? order by i")) {
      for (int i = 0; i < 6; i++) {
        select.setInt(1, i * 10);
        select.setString(2, "t" + i);
        say(rows(select.executeQuery()));
      }
      ResultSetMetaData columns = select.getMetaData();
      for (int i = 1; i <= columns.getColumnCount(); i++) say(columns.getColumnName(i), columns.getColumnTypeName(i), columns.isNullable(i), columns.getTableName(i));
      say(select.getParameterMetaData().getParameterTypeName(1));
    }
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(13);
      int sum = 0;
      for (ResultSet result = statement.executeQuery("select i from other.jdbc order by i"); result.next(); ) sum += result.getInt(1);
      say("sum", sum);
      statement.setMaxRows(5);
      say(rows(statement.executeQuery("select i from other.jdbc order by i")));
    }
    Savepoint savepoint = connection.setSavepoint("s");
    failing(() -> connection.createStatement().executeUpdate("insert into other.jdbc (i) values (1)"));
    connection.rollback(savepoint);
    try (Statement updatable = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
      ResultSet result = updatable.executeQuery("select i, t from other.jdbc where i < 3 order by i");
      result.last();
      result.updateString("t", "updated");
      result.updateRow();
      result.beforeFirst();
      say(rows(result));
    }
    connection.commit();
    connection.setAutoCommit(true);
    failing(() -> connection.createStatement().executeQuery("selct"));
    failing(() -> connection.prepareStatement("select * from nowhere where i = ?").getMetaData());
    failing(() -> {
      PreparedStatement batch = connection.prepareStatement("insert into other.jdbc (i) values (?)");
      for (int i : new int[] {1001, 1002, 1, 1003}) { batch.setInt(1, i); batch.addBatch(); }
      batch.executeBatch();
    });
    try (PreparedStatement keys = connection.prepareStatement("insert into products (name, price) values (?, 1)", Statement.RETURN_GENERATED_KEYS)) {
      keys.setString(1, "key");
      keys.executeUpdate();
      ResultSet generated = keys.getGeneratedKeys();
      generated.next();
      say(generated.getInt("id") > 30, generated.getString("name"));
    }
    connection.createStatement().executeUpdate("delete from products where name = 'key'");
    try (CallableStatement call = connection.prepareCall("call restock(?, ?)")) {
      call.setInt(1, 1);
      call.setInt(2, 0);
      say("called", call.execute());
    }
    var copy = connection.unwrap(PGConnection.class).getCopyAPI();
    if (!"simple".equals(connection.unwrap(PGConnection.class).getPreferQueryMode().value())) {
      say(copy.copyIn("copy other.jdbc (i, t) from stdin csv", new ByteArrayInputStream("2000,c\n2001,d\n".getBytes(StandardCharsets.UTF_8))));
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      say(copy.copyOut("copy (select i, t from other.jdbc where i >= 298 order by i) to stdout", out), out.toString(StandardCharsets.UTF_8));
    }
    DatabaseMetaData meta = connection.getMetaData();
    say(meta.getDatabaseMajorVersion() > 14, connection.getTransactionIsolation(), connection.isReadOnly(), connection.getSchema());
    List<String> tables = new ArrayList<>();
    for (ResultSet r = meta.getTables(null, "public", "p%", new String[] {"TABLE", "VIEW"}); r.next(); ) tables.add(r.getString("TABLE_NAME") + r.getString("REMARKS"));
    for (ResultSet r = meta.getColumns(null, "public", "products", null); r.next(); ) tables.add(r.getString("COLUMN_NAME") + r.getString("TYPE_NAME") + r.getString("COLUMN_DEF"));
    for (ResultSet r = meta.getPrimaryKeys(null, "public", "products"); r.next(); ) tables.add(r.getString("PK_NAME"));
    for (ResultSet r = meta.getImportedKeys(null, "public", "parts"); r.next(); ) tables.add(r.getString("FK_NAME"));
    for (ResultSet r = meta.getIndexInfo(null, "public", "products", false, false); r.next(); ) tables.add(r.getString("INDEX_NAME"));
    for (ResultSet r = meta.getTypeInfo(); r.next(); ) if (r.getString("TYPE_NAME").startsWith("int")) tables.add(r.getString("TYPE_NAME"));
    say(tables);
    try (Statement slow = connection.createStatement()) {
      slow.setQueryTimeout(1);
      failing(() -> slow.execute("select pg_sleep(60)"));
    }
    connection.createStatement().execute("listen jdbc; notify jdbc");
    say(connection.unwrap(PGConnection.class).getNotifications(10_000)[0].getName(), connection.isValid(5));
    connection.createStatement().execute("drop table other.jdbc");
  }
}
