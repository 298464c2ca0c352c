/** One kind of message or statement, and what each control does with it. Nothing is blank. */
export interface Row {
  readonly kind: string;
  readonly understood: string;
  readonly decided: string;
  readonly masked: string;
  readonly recorded: string;
}

const CONTROLS = ["understood", "decided", "masked", "recorded"] as const;

/** @throws where a control says nothing of a kind. */
export function table(title: string, rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const cells = [row.kind, ...CONTROLS.map((control) => row[control])];
    if (cells.some((cell) => cell.trim() === "")) throw new Error(`something is blank of ${JSON.stringify(row)}`);
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [`| ${[title, ...CONTROLS].join(" | ")} |`, `|${"---|".repeat(CONTROLS.length + 1)}`, ...lines].join("\n");
}
