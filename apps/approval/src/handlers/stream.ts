export const APPROVAL_STREAM = "approval";

export const approvalStream = (id: string): string => `${APPROVAL_STREAM}-${id}`;

/** The approval of a stream. */
export const approvalOf = (streamId: string): string => streamId.slice(APPROVAL_STREAM.length + 1);
