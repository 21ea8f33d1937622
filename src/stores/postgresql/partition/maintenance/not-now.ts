/** Errors that delay or restart a cutover instead of failing it. */

/** The cutover must wait for a temporary obstacle, such as an old snapshot. */
export class NotNow extends Error {}

/** Another session changed the partitions: start again. */
export class Changed extends Error {}
