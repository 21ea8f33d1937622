/** Reasons to delay or restart a switch that are no failures. */

/** It must wait for something temporary. */
export class NotNow extends Error {}

/** Another session changed the partitions: start again. */
export class Changed extends Error {}
