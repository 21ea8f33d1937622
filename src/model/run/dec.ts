/** Scalars of events and documents. Their JSON schemas are made from these names (test/support/type-schema.ts). */

/** A decimal integer as text, so that no JSON reader rounds it. */
export type Dec = string

export const dec = (n: number | bigint): Dec => n.toString()

/** A duration. */
export type Ms = number

/** A whole number, within bounds if they are given. */
export type Int<_Least extends number = number, _Most extends number = number> = number

/** How many times more; at least 1. */
export type Factor = number

/** Name of a system whose databases are files. */
export type FileSystemName = string

/** UTC, in ISO format with milliseconds. */
export type Time = string

/** These texts now; later versions may have more, so readers must accept any. */
export type Open<T extends string> = T
