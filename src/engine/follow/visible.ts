/** Which transactions a snapshot of the source shows. */

/** As `pg_current_snapshot` prints it: xmin, xmax, and the transactions between them that were open. All of 64 bits. */
export type Snapshot = { readonly xmax: bigint; readonly open: ReadonlySet<bigint> }

/** @param text `100:107:103,105` @returns null for a text that is no snapshot */
export function snapshotOf(text: string): Snapshot | null {
  const [, , xmax, open] = /^(\d+):(\d+):([\d,]*)$/.exec(text) ?? []
  if (xmax === undefined || open === undefined) return null
  return { xmax: BigInt(xmax), open: new Set(open.split(',').flatMap((xid) => (xid === '' ? [] : [BigInt(xid)]))) }
}

const WRAP = 2n ** 32n

/**
 * Whether a committed transaction is one that the snapshot shows.
 * @param xid its lower 32 bits, as a stream tells them: the transaction is less than 2^31 away from the snapshot
 */
export function isVisible(xid: number, { xmax, open }: Snapshot): boolean {
  const epoch = xmax / WRAP
  let whole = epoch * WRAP + BigInt(xid)
  if (whole > xmax + WRAP / 2n && epoch > 0n) whole -= WRAP
  else if (whole + WRAP / 2n < xmax) whole += WRAP
  return whole < xmax && !open.has(whole)
}
