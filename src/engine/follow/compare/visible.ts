/** Which transactions a snapshot of the source shows. */

/** As `pg_current_snapshot` prints it: xmin, xmax, and the transactions between them that were open. All are 64-bit. */
export type VisibleTransactions = { readonly xmax: bigint; readonly open: ReadonlySet<bigint> }

/** @param text `100:107:103,105` @returns null if the text is not a snapshot */
export function snapshotOf(text: string): VisibleTransactions | null {
  const [, , xmax, open] = /^(\d+):(\d+):([\d,]*)$/.exec(text) ?? []
  if (xmax === undefined || open === undefined) return null
  return { xmax: BigInt(xmax), open: new Set(open.split(',').flatMap((xid) => (xid === '' ? [] : [BigInt(xid)]))) }
}

const WRAP = 2n ** 32n

/** True if the snapshot shows a committed transaction. @param xid lower 32 bits, less than 2^31 from the snapshot */
export function isVisible(xid: number, snapshot: VisibleTransactions): boolean {
  const whole = wholeOf(xid, snapshot)
  return whole < snapshot.xmax && !snapshot.open.has(whole)
}

/** The 64-bit transaction id with these lower 32 bits that is nearest to the snapshot. */
function wholeOf(xid: number, { xmax }: VisibleTransactions): bigint {
  const epoch = xmax / WRAP
  const whole = epoch * WRAP + BigInt(xid)
  if (whole > xmax + WRAP / 2n && epoch > 0n) return whole - WRAP
  return whole + WRAP / 2n < xmax ? whole + WRAP : whole
}

/**
 * Maximum number of transactions that may be reported and not yet visible: each session has at most one that waits for
 * its standby.
 */
const MOST_REPORTED = 100_000
const ANCIENT = 2n ** 30n

/**
 * Transactions that a stream has reported. The server reports a transaction when its commit record is written, and
 * makes it visible later: much later if it waits for a synchronous standby. A snapshot taken in between lacks changes
 * that are already applied.
 */
export class ReportedTransactions {
  #xids: number[] = []

  add(xid: number): void {
    this.#xids.push(xid)
    if (this.#xids.length > 2 * MOST_REPORTED) this.#xids = this.#xids.slice(-MOST_REPORTED)
  }

  /** True if the snapshot shows all added transactions. @param snapshot taken after the last `add` */
  areVisible(snapshot: VisibleTransactions): boolean {
    // An xid that seems to be far ahead is very old: the 32-bit numbers have wrapped around since.
    this.#xids = this.#xids.filter(
      (xid) => !isVisible(xid, snapshot) && wholeOf(xid, snapshot) < snapshot.xmax + ANCIENT,
    )
    return this.#xids.length === 0
  }
}
