import { ByteWriter } from "#bytes";
import { AUTHENTICATION, CLIENT, OPENING, SERVER } from "./codes.js";
import type { Fields } from "./messages.js";

/** A whole message: its type, its length and what `write` puts in. */
function message(type: number, write?: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(64).uint8(type).int32(0);
  write?.(writer);
  return writer.setInt32(1, writer.length - 1).take();
}

/** A packet that opens a connection has no type. */
function opening(code: number, write?: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(64).int32(0).int32(code);
  write?.(writer);
  return writer.setInt32(0, writer.length).take();
}

// ---- towards the client --------------------------------------------------------------------------------------------

const authentication = (method: number, write?: (writer: ByteWriter) => void) =>
  message(SERVER.Authentication, (w) => {
    w.int32(method);
    write?.(w);
  });

export const authenticationOk = (): Buffer => authentication(AUTHENTICATION.ok);

export const authenticationSasl = (mechanisms: readonly string[]): Buffer =>
  authentication(AUTHENTICATION.sasl, (w) => {
    for (const mechanism of mechanisms) w.cstring(mechanism);
    w.uint8(0);
  });

export const authenticationSaslContinue = (text: string): Buffer =>
  authentication(AUTHENTICATION.saslContinue, (w) => w.utf8(text));

export const authenticationSaslFinal = (text: string): Buffer =>
  authentication(AUTHENTICATION.saslFinal, (w) => w.utf8(text));

/** `version` is the whole protocol version, as servers send it and libpq reads it. */
export const negotiateProtocolVersion = (version: number, unknown: readonly string[]): Buffer =>
  message(SERVER.NegotiateProtocolVersion, (w) => {
    w.int32(version).int32(unknown.length);
    for (const option of unknown) w.cstring(option);
  });

export const parameterStatus = (name: string, value: string): Buffer =>
  message(SERVER.ParameterStatus, (w) => w.cstring(name).cstring(value));

/** `key` is the process id and the secret, as a CancelRequest brings them back. */
export const backendKeyData = (key: Uint8Array): Buffer => message(SERVER.BackendKeyData, (w) => w.bytes(key));

export const readyForQuery = (status: number): Buffer => message(SERVER.ReadyForQuery, (w) => w.uint8(status));

const fields = (type: number, values: Fields) =>
  message(type, (w) => {
    for (const [letter, value] of values) w.uint8(letter.charCodeAt(0)).cstring(value);
    w.uint8(0);
  });

export const errorResponse = (values: Fields): Buffer => fields(SERVER.ErrorResponse, values);

export const noticeResponse = (values: Fields): Buffer => fields(SERVER.NoticeResponse, values);

export const notificationResponse = (pid: number, channel: string, payload: string): Buffer =>
  message(SERVER.NotificationResponse, (w) => w.int32(pid).cstring(channel).cstring(payload));

// ---- towards the server --------------------------------------------------------------------------------------------

export const sslRequest = (): Buffer => opening(OPENING.ssl);

export const cancelRequest = (key: Uint8Array): Buffer => opening(OPENING.cancel, (w) => w.bytes(key));

export const startupMessage = (version: number, parameters: Iterable<readonly [string, string]>): Buffer =>
  opening(version, (w) => {
    for (const [name, value] of parameters) w.cstring(name).cstring(value);
    w.uint8(0);
  });

export const passwordMessage = (password: string): Buffer => message(CLIENT.Password, (w) => w.cstring(password));

export const saslInitialResponse = (mechanism: string, text: string): Buffer =>
  message(CLIENT.Password, (w) => w.cstring(mechanism).int32(Buffer.byteLength(text)).utf8(text));

export const saslResponse = (text: string): Buffer => message(CLIENT.Password, (w) => w.utf8(text));

export const query = (text: string): Buffer => message(CLIENT.Query, (w) => w.cstring(text));

export const parse = (name: string, text: string): Buffer =>
  message(CLIENT.Parse, (w) => w.cstring(name).cstring(text).int16(0));

/** Of a portal. `key` as in `nameKey`. */
export const describePortal = (key: string): Buffer =>
  message(CLIENT.Describe, (w) => w.utf8("P").bytes(Buffer.from(key, "latin1")).uint8(0));

/** Of a prepared statement; no error where there is none. */
export const closeStatement = (name: string): Buffer => message(CLIENT.Close, (w) => w.utf8("S").cstring(name));

export const sync = (): Buffer => message(CLIENT.Sync);

export const flush = (): Buffer => message(CLIENT.Flush);
