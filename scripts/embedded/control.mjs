/** The words of memory that the main thread and a database's thread share, and their meanings. */

/** 1 requests the running statement to end. */
export const CANCEL = 0;
/** Incremented at every change that must wake the sleeping thread. */
export const WAKE = 1;
/** Bytes posted to the main thread that the client has not read yet. */
export const UNSENT = 2;
/** 1 while the running statement's output is discarded. */
export const DISCARD = 3;

export const CONTROL_BYTES = 16;

/** The thread pauses a statement while more unread bytes than this wait for a slow client. */
export const UNSENT_LIMIT = 4 * 1024 * 1024;
