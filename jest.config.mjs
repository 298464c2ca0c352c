/** The pyramid shows in the file names: `.unit.spec.ts`, `.int.spec.ts` (real PostgreSQL, real NATS), `.e2e.spec.ts` (real clients). */
export default {
  testMatch: ["<rootDir>/{apps,libs,test}/**/*.spec.ts"],
  testEnvironment: "node",
  testEnvironmentOptions: { customExportConditions: ["source", "node", "node-addons"] },
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: { "^.+\\.ts$": "@swc/jest" },
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/.counterfoil/"],
  globalSetup: "<rootDir>/test/servers/global-setup.mjs",
  globalTeardown: "<rootDir>/test/servers/global-teardown.mjs",
  testTimeout: 120_000,
};
