import { readFile } from "node:fs/promises";

/** The demo's declarative document with the places of this installation in it. */
export async function demoDocument(template: string, places: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(template, "utf8");
  return text.replace(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const place = places[name];
    if (place === undefined) throw new Error(`${template} asks for \${${name}}, which is not known`);
    return place;
  });
}
