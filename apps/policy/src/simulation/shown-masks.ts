import type { LabelPart, MaskedLabel } from "#commands";
import { combined } from "#masking";
import type { TracedColumn } from "#sql";

export interface ShownMask {
  readonly column: string;
  readonly labels: readonly string[];
  readonly transform: string;
}

/** Which output columns would come masked, and how. */
export function shownMasks(
  outputs: readonly TracedColumn[],
  resource: string,
  labels: readonly LabelPart[],
  masked: readonly MaskedLabel[],
): readonly ShownMask[] {
  return outputs.flatMap((output) => {
    const carried = masked.filter(({ label }) => output.leaks || carries(output, resource, labels, label));
    if (carried.length === 0) return [];
    const transform = output.direct && !output.leaks ? combined(carried.map((each) => each.transform)).kind : "redact";
    return [{ column: output.name, labels: carried.map(({ label }) => label), transform }];
  });
}

function carries(output: TracedColumn, resource: string, labels: readonly LabelPart[], label: string): boolean {
  const columns = labels.filter(({ name }) => name === label).flatMap((part) => part.columns);
  return columns.some(
    (column) =>
      column.resource === resource &&
      output.sources.some(
        (source) =>
          source.schema === column.schema &&
          source.table === column.table &&
          (source.column === column.column || source.column === "*"),
      ),
  );
}
