/** More say that nobody knows. */
const MOST = 3;

/**
 * The known names that a word can have been meant for: one letter in three may be wrong; else those that it begins, as
 * `sql:drop` begins `sql:drop_table`. Of `sql:read`, `read` alone is near too. Empty where none is near.
 */
export function nearest(word: string, known: readonly string[]): readonly string[] {
  const [family, bare] = parted(word);
  const measured = known.flatMap((name) => {
    const [ofName, rest] = parted(name);
    if (family !== "" && family !== ofName) return [];
    return [{ name, distance: distance(bare, rest) }];
  });
  const least = Math.min(...measured.map((each) => each.distance));
  if (least <= Math.max(1, Math.floor(bare.length / 3))) {
    return some(measured.filter((each) => each.distance === least).map(({ name }) => name));
  }
  if (bare.length < 3) return [];
  return some(measured.map(({ name }) => name).filter((name) => parted(name)[1].startsWith(`${bare}_`)));
}

const some = (names: readonly string[]): readonly string[] => (names.length > MOST ? [] : names);

/** What stands before the colon, and what behind it, in lower case. */
function parted(name: string): readonly [string, string] {
  const [, family = "", bare = ""] = /^(?:([^:]*):)?(.*)$/s.exec(name.toLowerCase()) ?? [];
  return [family, bare];
}

/** How many letters to add, drop or replace, or neighbours to swap. */
function distance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, n) => n);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(
        last[j]! + 1,
        row[j - 1]! + 1,
        last[j - 1]! + (same ? 0 : 1),
        swapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = last;
    last = row;
  }
  return last[other.length]!;
}
