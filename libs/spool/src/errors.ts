/** There is no room for this record within the configured size: ship what is there, or raise the limit. */
export class SpoolFull extends Error {
  override readonly name = "SpoolFull";
  constructor(folder: string, limitBytes: number) {
    super(
      `the spool in ${folder} holds its limit of ${limitBytes} bytes: it frees space once the audit service acknowledges; raise the limit if this is normal load`,
    );
  }
}

/** The folder or the disk does not take what is written. What was not written is kept and tried again. */
export class SpoolUnwritable extends Error {
  override readonly name = "SpoolUnwritable";
  constructor(folder: string, doing: string, cause: unknown) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const advice =
      code === "ENOSPC" || code === "EDQUOT"
        ? "the disk is full: free space on it"
        : code === "EACCES" || code === "EPERM" || code === "EROFS"
          ? "the enforcer's user may not write there: correct the folder's owner or mode"
          : (message ?? String(cause));
    super(`cannot ${doing} the spool in ${folder}: ${advice}${code ? ` (${code})` : ""}`, { cause });
  }
}

/** Another live process has this spool. */
export class SpoolLocked extends Error {
  override readonly name = "SpoolLocked";
  constructor(
    readonly folder: string,
    readonly pid: number,
    lock: string,
  ) {
    super(
      `the spool in ${folder} is in use by process ${pid}: give each enforcer a folder of its own; if that process is none, delete ${lock}`,
    );
  }
}
