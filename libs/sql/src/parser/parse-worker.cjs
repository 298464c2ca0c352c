/**
 * Runs PostgreSQL's own parser apart from everything else: a text can overflow its stack, and after enough of those the
 * WASM instance is broken for good. Whatever is not a plain syntax error therefore ends this thread; the pool starts a
 * new one.
 *
 * A plain CommonJS file, because Node itself loads it, in a fresh thread: from the sources under jest (which Node 20
 * could not compile) and from dist alike, where the build copies what it does not compile.
 */
const { parentPort, workerData } = require("node:worker_threads");
const pg = require("libpg-query");
const { plpgsqlBody, Unreadable } = require("./plpgsql-body.cjs");

/** Nodes and depth of a tree, without recursion, as the tree may be deeper than a stack. */
function measure(tree, { maxNodes, maxDepth }) {
  let nodes = 0;
  let level = [tree];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return `it is nested deeper than ${maxDepth} levels`;
    const next = [];
    for (const node of level) {
      for (const key in node) {
        const value = node[key];
        if (value !== null && typeof value === "object") next.push(value);
      }
    }
    nodes += next.length;
    if (nodes > maxNodes) return `it has more than ${maxNodes} parts`;
    level = next;
  }
  return null;
}

/** What says the same however often it stands there: constants, parameters, DEFAULT, and lists of them. */
function isPlain(node) {
  for (const kind in node) {
    if (kind === "A_Const" || kind === "ParamRef" || kind === "SetToDefault") return true;
    if (kind === "TypeCast") return node.TypeCast.arg !== undefined && isPlain(node.TypeCast.arg);
    if (kind === "List") return (node.List.items ?? []).every(isPlain);
    return false;
  }
  return false;
}

/** Where hundreds of plain values may stand side by side. */
const LISTS = [
  ["List", "items"],
  ["A_ArrayExpr", "elements"],
  ["FuncCall", "args"],
];
const KEPT = 64;

/**
 * Leaves the first plain values of long lists and drops the others: what a statement does is no different, and a tree of
 * a hundred thousand constants would cost the thread that asks a second. VALUES keeps the number of its rows.
 */
function thin(tree) {
  const waiting = [tree];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const [kind, field] of LISTS) {
      const items = node[kind]?.[field];
      if (items && items.length > KEPT) node[kind][field] = items.filter((item, i) => i < KEPT || !isPlain(item));
    }
    const rows = node.valuesLists;
    if (rows && rows.length > KEPT) {
      node.valuesLists = rows.filter((row, i) => i < KEPT || !isPlain(row));
      node.valuesCount = rows.length;
    }
    for (const key in node) {
      const value = node[key];
      if (value !== null && typeof value === "object") waiting.push(value);
    }
  }
}

/**
 * Where the grammar looks one word ahead (base_yylex), this build of the parser takes a comment for that word, and a
 * server does not.
 */
const COMMENT_AHEAD = /(\b(not|nulls|with|without|format|uescape)|['"])\s*(--|\/\*)/i;
/** Telling tokens apart takes many times as long as parsing. */
const SCANNED_AT_MOST = 16 * 1024;

/** The same text with a blank for every byte of its comments, by the parser's own lexer; null where that is no help. */
function uncommented(text) {
  if (text.length > SCANNED_AT_MOST || !COMMENT_AHEAD.test(text)) return null;
  const bytes = Buffer.from(text);
  for (const { tokenName, start, end } of tokens(text)) {
    if (tokenName === "SQL_COMMENT" || tokenName === "C_COMMENT") bytes.fill(" ", start, end);
  }
  return bytes.toString();
}

/** None where the lexer refuses the text: the binding then takes its message for JSON. */
function tokens(text) {
  try {
    return pg.scanSync(text).tokens;
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function parsed(text) {
  try {
    return { text, tree: pg.parseSync(text) };
  } catch (error) {
    if (error instanceof pg.SqlError) return { error };
    throw error;
  }
}

/** As `parsed`, where a comment is as good as a blank. */
function understood(given) {
  const first = parsed(given);
  const plain = first.error && placeOf(first.error).syntaxError && uncommented(given);
  const { text, tree } = plain ? parsed(plain) : first;
  return tree ? { text, tree } : first;
}

function answer(given) {
  const { text, tree, error } = understood(given);
  if (!tree) return { kind: "refused", reason: error.message, ...placeOf(error) };
  thin(tree);
  const tooMuch = measure(tree, workerData);
  if (tooMuch !== null) return { kind: "refused", reason: tooMuch };
  return { kind: "parsed", tree, fingerprint: pg.fingerprintSync(text) };
}

/** A body in PL/pgSQL: see plpgsql-body.cjs. */
function bodyAnswer(given) {
  try {
    const body = plpgsqlBody(pg, (text) => understood(text).tree, given);
    thin(body);
    const tooMuch = measure(body, workerData);
    return tooMuch === null ? { kind: "body", body } : { kind: "refused", reason: tooMuch };
  } catch (error) {
    if (error instanceof Unreadable) return { kind: "refused", reason: error.message };
    throw error;
  }
}

/** Where the grammar says so; what else the parser refuses (an escape, a limit) has other codes, which it does not tell. */
function placeOf({ sqlDetails }) {
  const grammar = ["scanner_yyerror", "base_yyparse"].includes(sqlDetails?.functionName);
  return grammar ? { syntaxError: { position: sqlDetails.cursorPosition + 1 } } : {};
}

pg.loadModule().then(() => {
  parentPort.on("message", (given) =>
    parentPort.postMessage(typeof given === "string" ? answer(given) : bodyAnswer(given)),
  );
  parentPort.postMessage({ kind: "ready" });
});
