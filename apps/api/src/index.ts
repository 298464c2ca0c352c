export { API_DEFAULTS, type ApiConfig } from "./api.config.js";
export { type RunningApi, startApi } from "./start.js";
