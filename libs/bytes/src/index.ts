export { MalformedBytes, TooLarge } from "./faults.js";
export { FrameAssembler, type FrameFormat } from "./frames.js";
export { ByteReader } from "./reader.js";
export { ByteWriter } from "./writer.js";
