/** What the ledger keeps of a switch between two databases: whatever a program has to know that goes on with it. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ReverseStream } from '../switch-ledger.ts'

/** One of both databases. */
export type Place = { readonly database: string; readonly identity: string; readonly table: TableName }

export type BetweenDocument = {
  readonly format: 'sluice-cutover-between'
  readonly version: 1
  readonly turn: number
  readonly closes: Place
  readonly opens: Place
  /** By which the table of the source is closed; from `closing` on. */
  readonly token?: string
  /** Up to which the stream is applied; from `closed` on. */
  readonly fence?: string
  readonly sessionsEnded?: readonly string[]
  /** The stream that goes the other way; from `proved` on. It is noted in the ledger of the closed database once the other one is open. */
  readonly reverse?: ReverseStream
  /** As the table of the target was when it was proved. */
  readonly mark?: string
  readonly proof?: { readonly position: string; readonly rows: string; readonly touched: string }
  /** Gates, findings, and who did it. */
  readonly about?: unknown
}

/** The format stands first: by it the ledger tells these documents from others. */
export function documentText(document: Omit<BetweenDocument, 'format' | 'version'>): string {
  return JSON.stringify({ format: 'sluice-cutover-between', version: 1, ...document })
}

/** @throws SluiceError LEDGER_DAMAGED for none */
export function documentOf(text: string | null): BetweenDocument {
  if (text === null) throw new SluiceError('LEDGER_DAMAGED', 'the ledger has a switch without its document')
  return JSON.parse(text) as BetweenDocument
}
