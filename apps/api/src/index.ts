export { API_DEFAULTS, type ApiConfig } from "./api.config.js";
export { ApiModule } from "./api.module.js";
export { type RunningApi, startApi } from "./start.js";
