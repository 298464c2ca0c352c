// `npm start`: installs what is missing, builds what has changed, then becomes the standalone Counterfoil.
import { build, installPackages, requireNode } from "./install.mjs";

const say = (step) => console.log(`… ${step}`);

requireNode();
installPackages(say);
build(say);
await import("../dist/apps/standalone/src/main.js");
