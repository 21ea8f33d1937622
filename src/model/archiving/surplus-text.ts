/** Rows beyond those that are expected, in words. */

/** `3 rows came late`, or `2 archived rows are gone from the table`. @param surplus rows more, or, negative, fewer; not 0 */
export function surplusText(surplus: bigint): string {
  if (surplus === 1n) return '1 row came late'
  if (surplus > 0n) return `${surplus} rows came late`
  return surplus === -1n ? '1 archived row is gone from the table' : `${-surplus} archived rows are gone from the table`
}
