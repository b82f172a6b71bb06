/** The words of memory that the main thread and a database's thread share, and what they agree on. */

/** 1 asks the running statement to end. */
export const CANCEL = 0;
/** Counts up at every change that the sleeping thread should look at. */
export const WAKE = 1;
/** Bytes posted to the main thread that its client has not taken yet. */
export const UNSENT = 2;
/** 1 while nobody wants the running statement's output. */
export const DISCARD = 3;

export const CONTROL_BYTES = 16;

/** The thread pauses a statement while more than this waits for a slow client. */
export const UNSENT_LIMIT = 4 * 1024 * 1024;
