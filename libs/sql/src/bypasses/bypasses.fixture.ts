import { FORBIDDEN_BOUNDS } from "./forbidden-bounds.fixture.js";
import { FORBIDDEN_KINDS } from "./forbidden-kinds.fixture.js";
import { FORBIDDEN_REACH, REFUSED } from "./forbidden-reach.fixture.js";
import { SHOWN_CHANNELS } from "./shown-channels.fixture.js";
import { SHOWN_COPIES } from "./shown-copies.fixture.js";
import { SHOWN_NAMES } from "./shown-names.fixture.js";
import { SHOWN_QUERIES } from "./shown-queries.fixture.js";
import { SHOWN_ROWS } from "./shown-rows.fixture.js";
import { SHOWN_TEXTS } from "./shown-texts.fixture.js";
import { SHOWN_VALUES } from "./shown-values.fixture.js";

/** The bypass list: a way around is one line, in the section it belongs to. */
export const FORBIDDEN = [...FORBIDDEN_KINDS, ...FORBIDDEN_BOUNDS, ...FORBIDDEN_REACH, ...REFUSED];
export const SHOWN = [
  ...SHOWN_VALUES,
  ...SHOWN_ROWS,
  ...SHOWN_QUERIES,
  ...SHOWN_TEXTS,
  ...SHOWN_CHANNELS,
  ...SHOWN_NAMES,
  ...SHOWN_COPIES,
];
export { ARRANGED, ASKED, NOT_ASKED } from "./asked.fixture.js";
export { REFUSED } from "./forbidden-reach.fixture.js";
export { ORDINARY } from "./ordinary.fixture.js";
export { STORED } from "./shown-copies.fixture.js";
export { SHOWN_BY_OTHERS } from "./shown-names.fixture.js";
