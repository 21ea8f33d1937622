import type { AlertOptions } from '../../../model/run/alert.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Erases rows about a person from a table and its archive, and removes all older versions of the archive. */
export type ArchiveEraseOperation = {
  readonly kind: 'archive-erase'
  readonly from: string
  readonly table: string
  /** Condition for the rows: `customer_id = 42`. It may name a person, and is not stored. */
  readonly where: string
  /** Ticket of the request: recorded in the certificate; the same ticket resumes an interrupted erasure. */
  readonly reason: string
  /** Other ledgers that the log names: URL of the ledger's database, or `gone:ID` if the ledger no longer exists. */
  readonly ledgers?: readonly string[] | undefined
  /** Name of the table, as confirmation. */
  readonly confirm?: string
  /** True: only count the rows. */
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

const EVENTS = ['archive.erasure', 'archive.destroyed', 'archive.state', 'archive.progress', 'log'] as const

export const archiveErase: Declaration<ArchiveEraseOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-erase',
  command: 'archive',
  actions: {
    'archive erase': {
      from: words.end('from'),
      table: words.oneTable,
      where: words.text('where'),
      reason: words.text('reason'),
      ledgers: words.databases('ledger'),
      confirm: words.optionalText('confirm'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  display: 'lines',
  doing: 'erasing',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'ledgers', family: 'database', access: 'read' },
  ],
  about: 'table',
  destroys: [
    {
      what: 'rows of the table and of its archive, and all older versions of the archive',
      confirm: 'confirm',
      asked: 'to erase these rows for good, with all older versions of the archive',
      named: { field: 'table' },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED, by: ['reason'] },
  events: EVENTS,
}
