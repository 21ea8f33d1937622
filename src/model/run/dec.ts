/** A decimal integer as text, so that no JSON reader rounds it. */
export type Dec = string

export const dec = (n: number | bigint): Dec => n.toString()
