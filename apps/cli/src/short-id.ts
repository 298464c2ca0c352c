import type { ApiClient, Sending } from "./api-client.js";
import { CliFailure, EXIT } from "./failure.js";

/** How far back a shortened id is looked for. */
const RECENT = 1000;

/**
 * The whole id of what begins so. Whatever cannot be the beginning of one, or is of nothing recent, is taken as it is: the
 * API says whether there is such a thing.
 *
 * @param path the list, such as `/v1/sessions`: its last part is what they are called
 * @param among the list's queries, one after the other until one has a match
 * @throws CliFailure where several begin so
 */
export async function wholeId(
  client: ApiClient,
  path: string,
  id: string,
  among: readonly Sending["query"][] = [{}],
): Promise<string> {
  if (!/^[0-9a-f]{4,8}(-[0-9a-f-]*)?$/.test(id) || id.length >= 36) return id;
  for (const query of among) {
    const items = await client.list<{ readonly id: string }>(path, query, RECENT);
    const [match, ...others] = items.filter((each) => each.id.startsWith(id)).map((each) => each.id);
    if (match !== undefined && others.length > 0) {
      const several = `several ${path.split("/").at(-1)} begin with ${id}: ${[match, ...others].slice(0, 5).join(", ")}`;
      throw new CliFailure(several, EXIT.usage, "Give more of the id, or all of it.");
    }
    if (match !== undefined) return match;
  }
  return id;
}
