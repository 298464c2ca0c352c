/** What is printed once everything runs: commands that work when pasted. */
export function cheatSheet(facts: {
  readonly api: string;
  readonly firstKey: string | null;
  readonly state: string;
  /** Whether the CLI looks there unless told otherwise. */
  readonly usual: boolean;
}): string {
  const key =
    facts.firstKey === null
      ? `The admin key is in ${facts.state}/cli.json.`
      : `The first admin key, shown this once (the CLI keeps it in ${facts.state}/cli.json):\n  ${facts.firstKey}`;
  return `
Counterfoil runs. The API is at ${facts.api}, its description at ${facts.api}/docs.
${key}

In another terminal, from this folder:
${facts.usual ? "" : `\n  first, so that the CLI finds it\n    export COUNTERFOIL_STATE='${facts.state}'\n`}
  a CI job's psql, with labelled columns masked
    npx counterfoil run --as ci --resource shop -- psql -c "select name, email, card_number from customers limit 3"
  what is blocked, with the reason
    npx counterfoil run --as ci --resource shop -- psql -c "delete from customers"
  what waits for a person
    npx counterfoil run --as ci --resource shop -- psql -c "alter table orders add column gift boolean"
    npx counterfoil approvals ls
    npx counterfoil approvals approve <id> --reason "ticket 42"
  everything that happened, as it happens
    npx counterfoil events --follow

Ctrl-C stops all of it; what it knows stays in ${facts.state}. Begin anew with: npm start -- --reset
`;
}
