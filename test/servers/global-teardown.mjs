export default () => globalThis.counterfoilTestServers.close();
