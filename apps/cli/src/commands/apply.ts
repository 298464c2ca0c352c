import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { Context } from "../context.js";
import { CliFailure, EXIT } from "../failure.js";
import { json, plain, style, table } from "../output.js";

interface Step {
  readonly kind: string;
  readonly name: string;
  readonly action: "create" | "update" | "unchanged" | "delete";
  readonly changes: readonly string[];
  readonly outcome: string;
}

interface Applied {
  readonly plan: readonly Step[];
  readonly warnings: readonly { readonly pointer: string; readonly detail: string }[];
}

export function addApply(program: Command, { client, print }: Context): void {
  program
    .command("apply")
    .description("make issuers, resources, labels and policies be as a document says")
    .requiredOption("-f, --file <file>", "YAML or JSON; - reads standard input")
    .option("--dry-run", "only show the plan")
    .option("--prune", "delete what the document leaves out, of the kinds it lists")
    .option("--json", "the plan as JSON")
    .action(async (options: { file: string; dryRun?: boolean; prune?: boolean; json?: boolean }) => {
      const body = read(options.file);
      const query = { dry_run: options.dryRun === true, prune: options.prune === true };
      const text = { body, type: "application/yaml" };
      const answer = await client().change<Applied>("POST", "/v1/apply", { text, query });
      print(options.json ? json(answer) : shown(answer, options.dryRun === true));
    });
}

function shown({ plan, warnings }: Applied, dryRun: boolean): string {
  const rows = table(plan, [
    { title: "action", of: ({ action }) => action },
    { title: "kind", of: ({ kind }) => kind },
    { title: "name", of: ({ name }) => name },
    { title: "changes", of: ({ changes }) => changes },
  ]);
  const changing = plan.filter(({ action }) => action !== "unchanged").length;
  const says =
    changing === 0 ? "nothing changes" : `${changing} of ${plan.length} ${dryRun ? "would change" : "changed"}`;
  const doubts = warnings.map(({ detail }) => `${style("yellow", "warning:")} ${plain(detail)}`);
  return [...(plan.length === 0 ? ["nothing changes"] : [rows, style("bold", says)]), ...doubts].join("\n");
}

/** JSON is YAML too (YAML 1.2 section 1.3), so one reader at the API does. */
function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new CliFailure(`${file} cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
}
