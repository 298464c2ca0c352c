import { CommanderError } from "commander";
import { CliFailure, EXIT } from "./failure.js";
import { plain } from "./output.js";
import { createProgram } from "./program.js";

/** Runs one command line and sets the exit code. Never prints a stack. */
export async function main(argv: readonly string[]): Promise<void> {
  quietWhenNobodyReads(process.stdout);
  quietWhenNobodyReads(process.stderr);
  try {
    await createProgram(process.env, process.cwd()).parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  // Commander has said what is wrong already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const message = error instanceof Error ? error.message : String(error);
  const [first = "", ...more] = message.split("\n").map(plainLine);
  console.error([`counterfoil: ${first}`, ...more].join("\n"));
  if (!(error instanceof CliFailure)) return EXIT.failed;
  if (error.advice) console.error(plainLine(error.advice));
  return error.exitCode;
}

/** `counterfoil events | head` ends like any other program in a pipe. */
function quietWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
}

/** What the API says may quote an agent: nothing of it moves the cursor. */
const plainLine = (line: string) => line.slice(0, line.length - line.trimStart().length) + plain(line.trimStart());
