/** Scalars of events and documents. Their JSON schemas are made from these names (test/support/type-schema.ts). */

/** A decimal integer as text, so that no JSON reader rounds it. */
export type Dec = string

export const dec = (n: number | bigint): Dec => n.toString()

/** A duration in milliseconds. */
export type Ms = number

/** A whole number, within bounds if they are given. */
export type Int<_Least extends number = number, _Most extends number = number> = number

/** Larger of two measurements divided by the smaller; at least 1. */
export type Factor = number

/** Name of a system whose databases are files. */
export type FileSystemName = string

/** A time in UTC, in ISO format with milliseconds. */
export type Time = string

/** One of these texts. Later versions may have more, so readers must accept any text. */
export type Open<T extends string> = T
