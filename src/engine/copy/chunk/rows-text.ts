/** A number of rows, in words for messages. */
export function rowsText(count: bigint): string {
  return count === 1n ? 'one row' : `${count} rows`
}
