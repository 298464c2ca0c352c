/**
 * A body in PL/pgSQL as PostgreSQL's own parser of that language gives it, each expression and statement of SQL in it
 * parsed too. What the parser leaves out of its answer, and could run SQL, makes the body one that is not read.
 *
 * Runs in the parser's thread (parse-worker.cjs), and is plain CommonJS for the same reasons.
 */
const QUOTE = "$counterfoil$";
/** Stands for a row type, by its place in the list of those: no name of anybody's. */
const MARK = "counterfoil!";
const MARKED = new RegExp(`"?${MARK}(\\d+)!"?`, "g");

class Unreadable extends Error {}

const NAME = '(?:"(?:[^"]|"")+"|[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*)';
const ROW_TYPE = new RegExp(`(${NAME}(?:\\s*\\.\\s*${NAME}){0,2})\\s*%\\s*rowtype\\b`, "gi");
/** What stands before `:=`. Whether brackets close where they seem to is settled by parsing it. */
const TARGET = new RegExp(`^\\s*(${NAME}(?:\\s*\\.\\s*${NAME}|\\s*\\[[^\\[\\]'"$]*\\])*)\\s*(?::=|=)`);
const COMMENT = /--|\/\*/;

/** A name in an escaped form could read so, too. */
const FOUND = /\bfound\b|\brow_count\b|\bu&"/i;

/** RawParseMode of an expression, and the first of those of an assignment (parser/parser.h). */
const EXPRESSION = 2;
const ASSIGNMENT = 3;

/**
 * @param parse the tree of a text of SQL; null where it is refused.
 * @param head what the body stands behind: `CREATE FUNCTION … AS`, or `DO`.
 * @throws Unreadable with the reason.
 */
function plpgsqlBody(pg, parse, { head, text }) {
  if (text.includes(QUOTE) || text.includes(MARK)) throw new Unreadable("it holds a mark of the reader's own");
  // `#option dump` makes the parser print.
  if (text.includes("#") && /\bdump\b/i.test(text)) throw new Unreadable("it has options that are not known");
  const rowTypes = [];
  // The parser takes a variable of a row type for one without fields, unless the type has a name of its own.
  const marked = text.replace(ROW_TYPE, (_, name) => `"${MARK}${rowTypes.push(name) - 1}!"`);
  const { datums = [], aliases = [], action, out_param_varno } = parsed(pg, `${head} ${QUOTE}${marked}${QUOTE}`);
  const body = { datums, aliases, action, labels: [], expressions: 0, asksFound: FOUND.test(text) };
  if (out_param_varno !== undefined) body.outs = out_param_varno;

  const one = (sql) => {
    const statements = parse(sql)?.stmts ?? [];
    if (statements.length !== 1 || !statements[0].stmt) throw new Unreadable(`not one statement: ${sql}`);
    return statements[0].stmt;
  };
  const found = new Set();
  const labels = new Set();
  everyObject([datums, action], (object) => {
    for (const key in object) {
      const is = object[key];
      if (typeof is === "string" && key !== "typname" && is.includes(MARK))
        throw new Unreadable("a row type where none belongs");
    }
    if (typeof object.parseMode === "number") {
      parseExpression(object, one);
      body.expressions += 1;
      return false;
    }
    if (typeof object.typname === "string") {
      for (const [, at] of object.typname.matchAll(MARKED)) found.add(at);
      object.typname = object.typname.replace(MARKED, (_, at) => rowTypes[at]);
      object.type = typeOf(object.typname, parse);
      return false;
    }
    if (typeof object.label === "string") labels.add(object.label);
    return true;
  });
  if (found.size !== rowTypes.length) throw new Unreadable("a row type where none belongs");
  body.labels = [...labels];
  refuseDefaults(pg, marked, datums);
  return body;
}

function parsed(pg, sql) {
  let functions;
  try {
    functions = pg.parsePlPgSQLSync(sql).plpgsql_funcs;
  } catch (error) {
    // The parser's own refusal, or an answer that is no JSON. Anything else breaks it.
    if (error.constructor === Error || error instanceof SyntaxError) throw new Unreadable(error.message);
    throw error;
  }
  if (functions?.length !== 1 || !functions[0].PLpgSQL_function?.action) throw new Unreadable("it is not one body");
  return functions[0].PLpgSQL_function;
}

function parseExpression(expr, one) {
  const { query, parseMode = 0 } = expr;
  if (parseMode === 0) expr.node = one(query);
  else if (parseMode === EXPRESSION) expr.node = one(`SELECT ${query}`);
  else if (parseMode >= ASSIGNMENT) {
    const [whole, target] = TARGET.exec(query) ?? [];
    if (!whole || COMMENT.test(whole)) throw new Unreadable(`an assignment that is not known: ${query}`);
    expr.target = one(`SELECT ${target}`);
    expr.node = one(`SELECT ${query.slice(whole.length)}`);
  } else throw new Unreadable("an expression that is not known");
  delete expr.query;
}

/** The TypeName of a declared type; null of one that is another thing's (`%TYPE`). */
function typeOf(name, parse) {
  if (/%\s*type/i.test(name) || name === "exception") return null;
  const [statement, ...more] = parse(`SELECT NULL::${name}`)?.stmts ?? [];
  const targets = statement?.stmt?.SelectStmt?.targetList ?? [];
  const cast = targets[0]?.ResTarget?.val?.TypeCast;
  const plain = Object.keys(statement?.stmt?.SelectStmt ?? {}).every((key) => PLAIN_SELECT.has(key));
  if (more.length > 0 || targets.length !== 1 || !plain || !cast?.arg?.A_Const?.isnull)
    throw new Unreadable(`the type ${name} is not known`);
  return cast.typeName;
}
const PLAIN_SELECT = new Set(["targetList", "limitOption", "op"]);

/** The parser says nothing of the value a record is declared with. */
function refuseDefaults(pg, text, datums) {
  const records = datums.flatMap(({ PLpgSQL_rec: rec }) => (rec?.lineno && rec.datatype ? rec.refname : []));
  if (records.length === 0) return;
  // A name that is spelled in another way than it reads.
  if (/\bu&"/i.test(text)) throw new Unreadable("its names cannot be told apart");
  const tokens = tokensOf(pg, text);
  const undeclared = [...records];
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1];
    const before = tokens[i - 1]?.toLowerCase() ?? ";";
    // A declaration: what is assigned, called or ended goes on with a sign.
    if (![";", "declare", ">>"].includes(before) || !isName(token) || !isName(next)) continue;
    const name = nameOf(token);
    if (!records.includes(name)) continue;
    const at = undeclared.indexOf(name);
    if (at >= 0) undeclared.splice(at, 1);
    for (let j = i + 1; j < tokens.length && tokens[j] !== ";"; j += 1) {
      if ([":=", "=", "default"].includes(tokens[j].toLowerCase()))
        throw new Unreadable(`the record ${name} is declared with a value`);
    }
  }
  if (undeclared.length > 0) throw new Unreadable(`the declaration of ${undeclared[0]} was not found`);
}

function tokensOf(pg, text) {
  try {
    return pg.scanSync(text).tokens.flatMap((token) => (token.tokenName.endsWith("_COMMENT") ? [] : token.text));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Unreadable("its tokens cannot be told apart");
    throw error;
  }
}

const isName = (token) => token !== undefined && /^["A-Za-z_\u0080-\uffff]/.test(token);
/** As the server folds it. */
const nameOf = (token) =>
  token.startsWith('"')
    ? token.slice(1, -1).replaceAll('""', '"')
    : token.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Each object beneath, as far as `visit` wants to go on. */
function everyObject(value, visit) {
  const waiting = [value];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (!Array.isArray(each) && !visit(each)) continue;
    for (const child of Object.values(each)) if (typeof child === "object" && child !== null) waiting.push(child);
  }
}

module.exports = { plpgsqlBody, Unreadable };
