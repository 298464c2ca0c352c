import { hash } from "node:crypto";

/** RFC 9162 section 2.1.1: the prefixes keep a leaf from passing for a node. */
const LEAF = Buffer.of(0x00);
const NODE = Buffer.of(0x01);

/** 32 bytes: SHA-256(0x00 || data). */
export const leafHash = (data: Uint8Array): Buffer => sha256(LEAF, data);

/** 32 bytes: SHA-256(0x01 || left || right). */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => sha256(NODE, left, right);

/** The root of the tree without leaves. */
export const emptyRoot = (): Buffer => sha256();

const sha256 = (...parts: readonly Uint8Array[]): Buffer => hash("sha256", Buffer.concat(parts), "buffer");
