// The table a person reads.

export function printScenario({ title, unit, goal }, result) {
  console.log(`\n${title}`);
  console.log(`  ${"".padEnd(10)} ${unit.padStart(16)} ${"of the relay".padStart(14)} ${"CPU µs each".padStart(14)}`);
  for (const [way, { value, cpuUs }] of Object.entries(result)) {
    const ratio = (value / result.relay.value).toFixed(2);
    const cpu = cpuUs === null ? "" : cpuUs.toFixed(cpuUs < 10 ? 2 : 1);
    console.log(`  ${way.padEnd(10)} ${shown(value).padStart(16)} ${ratio.padStart(14)} ${cpu.padStart(14)}`);
  }
  console.log(`  ${judgement(goal, result)}`);
}

export function printFindings(findings) {
  console.log();
  for (const [name, value] of Object.entries(findings)) {
    console.log(`  ${name.padEnd(42)} ${typeof value === "number" ? shown(value) : value}`);
  }
}

function judgement({ ratio, difference, perCore }, { enforcer, relay }) {
  if (ratio) return `to reach: ${ratio} of the relay; reached: ${(enforcer.value / relay.value).toFixed(2)}`;
  if (difference) {
    return `to reach: at most ${difference} ms more; reached: ${(enforcer.value - relay.value).toFixed(3)} ms more`;
  }
  return `to reach: ${perCore} a second and core; reached: ${(1e6 / enforcer.cpuUs).toFixed(0)} by its CPU time`;
}

const shown = (value) => value.toFixed(value < 10 ? 3 : value < 1000 ? 1 : 0);
