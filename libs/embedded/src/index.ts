export { adopt } from "./reaper.js";
