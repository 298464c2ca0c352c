/** As the driver's wire takes them. */
// biome-ignore lint/suspicious/noExplicitAny: the driver's own wire, which its types do not show
export type Wire = any;

export interface WireBypass {
  readonly why: string;
  readonly before?: readonly string[];
  /** How many ReadyForQuery answer it. */
  readonly readies: number;
  readonly send: (wire: Wire, oid: number) => void;
  /** A function, to know the number of. */
  readonly calls?: string;
}

/** Shows a labelled value, unless it is masked. */
export const MAILS = "select lower(email) from customers";

export function run(wire: Wire, text: string): void {
  wire.parse({ text });
  wire.bind({});
  wire.describe({ type: "P", name: "" });
  wire.execute({});
}
