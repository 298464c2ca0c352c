/** What is printed: tables for people, JSON for programs. */
import { stdout } from "node:process";

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => unknown;
}

export function table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const cells = rows.map((row) => columns.map(({ of }) => cell(of(row))));
  const titles = columns.map(({ title }) => title.toUpperCase());
  const widths = titles.map((title, n) => Math.max(title.length, ...cells.map((row) => row[n]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((text, n) => text.padEnd(widths[n] ?? 0))
      .join("  ")
      .trimEnd();
  return [style("bold", line(titles)), ...cells.map(line)].join("\n");
}

/** `name  value` lines. */
export function facts(pairs: readonly (readonly [string, unknown])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${style("bold", name.padEnd(width))}  ${cell(value)}`).join("\n");
}

export const json = (value: unknown) => JSON.stringify(value, null, 2);

/** One line of text that moves nobody's cursor: what agents send is printed on an operator's terminal. */
export function plain(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u${(c.codePointAt(0) as number).toString(16).padStart(4, "0")}`);
}

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

export function style(kind: keyof typeof STYLES, text: string): string {
  const [on, off] = STYLES[kind];
  return colours() ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** https://no-color.org: any value that is not empty. */
const colours = () => stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";

/** `2026-05-01 09:30:00` in UTC. */
export const moment = (time: string | undefined) => (time ? time.slice(0, 19).replace("T", " ") : "");

export const shortened = (text: string, length = 60) => {
  const line = plain(text);
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
};

function cell(value: unknown): string {
  const text = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  return text === "" ? "-" : plain(text);
}
