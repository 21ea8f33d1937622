/** What keeps a switch from being made, and is no failure. */

/** It has to wait for something that passes by itself. */
export class NotNow extends Error {}

/** Somebody changed the partitions: all begins anew. */
export class Changed extends Error {}
