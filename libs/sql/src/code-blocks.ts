import type { DoStmt, Node } from "libpg-query";
import type { Analysis } from "./analysis.js";
import { as, constantText, NotUnderstood } from "./parser/ast.js";
import { runPlpgsql } from "./plpgsql/run.js";
import { saysSo } from "./unsettling.js";

/** What a DO block does, as far as its code can be read; false where it could do anything. */
export function runBlock(analysis: Analysis, block: DoStmt): boolean {
  const { unsettles } = analysis;
  analysis.unsettles = false;
  const code = codeOf(block);
  const read = isRead(analysis, block, code);
  analysis.unsettles ||= unsettles || (!read && couldUnsettle(analysis, code));
  return read;
}

interface Code {
  readonly language: string;
  readonly text: string;
}

const couldUnsettle = ({ context }: Analysis, { language, text }: Code): boolean =>
  saysSo(language, text) || context.catalog.unsettles(text);

function codeOf(block: DoStmt): Code {
  const options = new Map((block.args ?? []).map((node) => [as("DefElem", node)?.defname, as("DefElem", node)?.arg]));
  return { language: stringOf(options.get("language")) ?? "plpgsql", text: stringOf(options.get("as")) ?? "" };
}

function isRead(analysis: Analysis, block: DoStmt, { language, text }: Code): boolean {
  if (language !== "plpgsql") return false;
  const code = analysis.body(block, { head: "DO", text });
  if (code === null) return false;
  const { parts, stores, session, followsPath } = analysis;
  const kept = [parts, stores, session].map((list) => [list, list.length] as const);
  analysis.followsPath = true;
  try {
    analysis.own(() => runPlpgsql(analysis, code));
    return true;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    for (const [list, length] of kept) list.length = length;
    analysis.followsPath = followsPath;
    return false;
  }
}

const stringOf = (node: Node | undefined): string | undefined => as("String", node)?.sval ?? constantText(node);
