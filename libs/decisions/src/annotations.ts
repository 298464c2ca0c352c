/** What the annotations of one policy say. */
export interface Annotations {
  readonly id: string | null;
  readonly reason: string | null;
  /** Set on a permit whose allow is a hold. */
  readonly approval: ApprovalTerms | null;
  /** On a permit: the most rows a command may give or change. */
  readonly maxRows: number | null;
}

export interface ApprovalTerms {
  /** The group that may decide; empty means any approver. */
  readonly approvers: string;
  readonly quorum: number;
  readonly ttlSeconds: number;
}

const KNOWN = ["id", "reason", "approval", "quorum", "ttl", "max_rows"];
const DEFAULT_TTL_SECONDS = 15 * 60;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/**
 * Reads a policy's annotations; every doubt is a problem, since a misspelt `@approval` would turn a hold into an allow.
 * @param raw as Cedar gives them: null for an annotation without a value.
 */
export function readAnnotations(
  effect: "permit" | "forbid",
  raw: Readonly<Record<string, string | null>>,
): { readonly annotations: Annotations; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const given = (name: string) => Object.hasOwn(raw, name);
  const value = (name: string) => (given(name) ? (raw[name] ?? "") : null);

  for (const name of Object.keys(raw)) {
    if (!KNOWN.includes(name))
      problems.push(`@${name} is not an annotation; known are ${KNOWN.map((k) => `@${k}`).join(", ")}`);
  }
  if (effect === "forbid") {
    if (given("max_rows")) problems.push("@max_rows has no place on a forbid: what is forbidden gives no rows");
    for (const name of ["approval", "quorum", "ttl"]) {
      if (given(name)) problems.push(`@${name} has no place on a forbid: what is forbidden cannot be approved`);
    }
  } else if (!given("approval")) {
    for (const name of ["quorum", "ttl"]) if (given(name)) problems.push(`@${name} needs @approval beside it`);
  }

  const id = value("id");
  if (id !== null && !/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/.test(id)) {
    problems.push(`@id("${id}") must begin with a letter and hold at most 63 letters, digits, "_", "." and "-"`);
  }
  const reason = value("reason");
  if (reason !== null && (reason.trim() === "" || reason.length > 500 || hasControl(reason))) {
    problems.push("@reason must be one line of 1 to 500 characters");
  }
  const approvers = value("approval");
  if (
    approvers !== null &&
    approvers !== "" &&
    (approvers.length > 128 || /^\s|\s$/.test(approvers) || hasControl(approvers))
  ) {
    problems.push(
      '@approval names one group of approvers, such as @approval("dba"), or nobody in particular: @approval',
    );
  }
  const quorum = value("quorum");
  if (quorum !== null && !/^([1-9]|1[0-9]|20)$/.test(quorum)) {
    problems.push(`@quorum("${quorum}") must be a number of people from 1 to 20`);
  }
  const ttl = value("ttl");
  const ttlSeconds = ttl === null ? DEFAULT_TTL_SECONDS : seconds(ttl);
  if (ttlSeconds === null) problems.push(`@ttl("${ttl}") must be from 10s to 24h, such as "90s", "15m" or "2h"`);

  const maxRows = value("max_rows");
  if (maxRows !== null && !/^(0|[1-9][0-9]{0,11})$/.test(maxRows)) {
    problems.push(`@max_rows("${maxRows}") must be a number of rows, such as "1000"`);
  }

  return {
    annotations: {
      id,
      reason,
      maxRows: maxRows === null ? null : Number(maxRows),
      approval:
        approvers === null
          ? null
          : { approvers, quorum: Number(quorum ?? 1), ttlSeconds: ttlSeconds ?? DEFAULT_TTL_SECONDS },
    },
    problems,
  };
}

function seconds(text: string): number | null {
  const [, number, unit] = /^([1-9][0-9]{0,4})([smh])$/.exec(text) ?? [];
  if (!number || !unit) return null;
  const total = Number(number) * SECONDS[unit]!;
  return total >= 10 && total <= 24 * 3600 ? total : null;
}

const hasControl = (text: string): boolean => /\p{Cc}/u.test(text);
