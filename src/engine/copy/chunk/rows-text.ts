/** A number of rows as text for messages. */
export function rowCountText(count: bigint): string {
  return count === 1n ? 'one row' : `${count} rows`
}
