import type { Command } from "commander";
import type { Context } from "../context.js";
import { EXIT } from "../failure.js";
import { facts, json, style } from "../output.js";

interface Verdict {
  readonly verdict: "allow" | "hold" | "deny";
  readonly reason: string;
  readonly policies: readonly string[];
  readonly epoch: number;
  readonly actions: readonly string[];
  readonly masks: readonly {
    readonly column: string;
    readonly labels: readonly string[];
    readonly transform: string;
  }[];
  readonly uses: readonly {
    readonly action: string;
    readonly label: string;
    readonly column: string;
    readonly use: string;
    readonly target: string;
    readonly permitted: boolean;
  }[];
  readonly approvers: string;
  readonly quorum: number;
  readonly caveats: readonly string[];
}

export function addPolicies(policies: Command, { client, print }: Context): void {
  policies
    .command("simulate <statement>")
    .description(
      "tell the verdict a principal would get, and which policy decides; runs nothing, and exits with 3 for a deny",
    )
    .requiredOption("--principal <id>", "such as 'demo|ci-deploy'")
    .requiredOption("--resource <name>", "on which resource")
    .option("--groups <names>", "the principal's groups, with commas between", "")
    .option("--run <run>", "the principal's run", "")
    .option("--json")
    .action(
      async (
        statement: string,
        options: Record<"principal" | "resource" | "groups" | "run", string> & { json?: boolean },
      ) => {
        const groups = options.groups.split(/[ ,]+/).filter((name) => name !== "");
        const principal = { id: options.principal, groups, run: options.run };
        const body = { principal, resource: options.resource, statement };
        const verdict = await client().change<Verdict>("POST", "/v1/policies/simulate", { json: body });
        print(options.json ? json(verdict) : shown(verdict));
        if (verdict.verdict === "deny") process.exitCode = EXIT.denied;
      },
    );
}

const COLOURS = { allow: "green", hold: "yellow", deny: "red" } as const;

function shown(verdict: Verdict): string {
  const masks = verdict.masks.map(({ column, labels, transform }) => `${column} (${labels.join(", ")}: ${transform})`);
  const uses = verdict.uses.map(
    ({ action, label, column, use, target, permitted }) =>
      `${action} ${label} (${column}, ${use || `to ${target}`}): ${permitted ? "permitted" : "not permitted"}`,
  );
  const told = facts([
    ["policies", verdict.policies],
    ["reason", verdict.reason],
    ["actions", verdict.actions],
    ["masked", masks],
    ["uses", uses],
    ...(verdict.verdict === "hold"
      ? ([["approvers", `${verdict.quorum} of ${verdict.approvers || "any"}`]] as const)
      : []),
    ...verdict.caveats.map((caveat) => ["caveat", caveat] as const),
    ["epoch", verdict.epoch],
  ]);
  return `${style(COLOURS[verdict.verdict], verdict.verdict)}\n${told}`;
}
