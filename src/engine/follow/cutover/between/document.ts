/** State of a cutover between two databases in the ledger: everything that a program needs to resume it. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { BlockedTime } from '../approach.ts'
import type { ReverseStream } from '../cutover-ledger.ts'

/** One of the two databases. */
export type CutoverEndpoint = { readonly database: string; readonly identity: string; readonly table: TableName }

export type BetweenDocument = {
  readonly format: 'sluice-cutover-between'
  readonly version: 1
  /** Number of the cutover, as in `CutoverRow`. */
  readonly turn: number
  /** The writers move from `closes` to `opens`. */
  readonly closes: CutoverEndpoint
  readonly opens: CutoverEndpoint
  /** How long earlier attempts blocked writers. */
  readonly earlier?: BlockedTime
  /** Start of the attempt: ms since the epoch by the clock of the ledger's database. Absent in older documents. */
  readonly closingMs?: number
  /** Token under which the source's table is closed to writers; set from `closing` on. */
  readonly token?: string
  /** Position up to which the stream is applied; set from `closed` on. */
  readonly fence?: string
  readonly sessionsEnded?: readonly string[]
  /** The reverse stream; set from `proved` on. Written to the ledger of `closes` once `opens` is open to writers. */
  readonly reverse?: ReverseStream
  /** Schema fingerprint of the target's table when it was proved. */
  readonly mark?: string
  /** The same of the source's table. Absent in older documents. */
  readonly sourceMark?: string
  readonly proof?: { readonly position: string; readonly rows: string; readonly touched: string }
  /** Cutover checks, findings, and the user. */
  readonly about?: unknown
}

/** The format comes first: the ledger recognises these documents by it. */
export function documentText(document: Omit<BetweenDocument, 'format' | 'version'>): string {
  return JSON.stringify({ format: 'sluice-cutover-between', version: 1, ...document })
}

/** @throws SluiceError LEDGER_DAMAGED if `text` is null */
export function documentOf(text: string | null): BetweenDocument {
  if (text === null)
    throw new SluiceError('LEDGER_DAMAGED', 'the ledger records a cutover, but its document is missing')
  return JSON.parse(text) as BetweenDocument
}
