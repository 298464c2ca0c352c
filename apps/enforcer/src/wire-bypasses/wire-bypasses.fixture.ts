import { COPY } from "./copy.fixture.js";
import { NAMES } from "./names.fixture.js";
import { PLANNING } from "./planning.fixture.js";
import { SETTINGS } from "./settings.fixture.js";
import type { WireBypass } from "./wire-bypass.fixture.js";

/** Ways around the masks that take messages in an order no text can give: more than the bypass list can say. */
export const WIRE_BYPASSES: readonly WireBypass[] = [...SETTINGS, ...NAMES, ...COPY, ...PLANNING];
