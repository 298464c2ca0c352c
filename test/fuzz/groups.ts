/** What the targets are about: each of these gets the time of a shared run, and its targets divide it. */
const GROUPS = {
  "what clients say": [
    "codec-client",
    "codec-client-damaged",
    "codec-frames",
    "login-client",
    "login-both",
    "wire-requests",
    "wire-cuts",
    "wire-copies",
  ],
  "what servers say": [
    "codec-server",
    "codec-server-damaged",
    "login-upstream",
    "wire-noise",
    "wire-hidden",
    "wire-rows",
  ],
  "what SQL does": [
    "understanding",
    "understanding-two",
    "understanding-after",
    "lineage",
    "bypasses-respelled",
    "bypasses-nested",
    "bypasses-shown",
    "enforcer-statements",
    "enforcer-shown",
    "enforcer-forbidden",
  ],
  "masking in text": ["masking-text"],
  "masking in binary": ["masking-binary"],
} as const satisfies Record<string, readonly string[]>;

export type Target = (typeof GROUPS)[keyof typeof GROUPS][number];

/** @returns the group's name, and what part of its time is this target's. */
export function groupOf(target: Target): { group: string; share: number } {
  const [group, targets] = Object.entries<readonly string[]>(GROUPS).find(([, names]) => names.includes(target))!;
  return { group, share: 1 / targets.length };
}
