import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import { COPY_EVENTS } from '../../../copy/operations/copy/declaration.ts'
import { ENDS, STREAM } from '../../../copy/operations/copy/options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { STREAM_REPORT, type FollowOperation } from '../follow/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

/** Creates the document to file after a migration: rows compared in a common snapshot, and checks of other objects. */
export type SignOffOperation = Pick<FollowOperation, 'stream' | 'to' | 'from' | 'alert'> & {
  readonly kind: 'sign-off'
  /** Table names in the source; empty: all tables of the stream. */
  readonly tables: readonly string[]
  /** One partition of one table: only its rows are compared. */
  readonly partition?: string
  /** Who signs; absent: the user of the operating system. */
  readonly by?: string
  /** File for the document: JSON if its name ends in .json, otherwise Markdown; `-`: printed. */
  readonly report?: string
}

const EVENTS = [...COPY_EVENTS, 'check', 'follow.signed', 'run.report'] as const

export const signOff: Declaration<SignOffOperation, (typeof EVENTS)[number]> = {
  kind: 'sign-off',
  command: {
    ...PAGES['sign-off'],
    takes: [
      STREAM,
      ...ENDS,
      {
        name: 'table',
        type: 'list',
        shown: 'all of the stream',
        completes: 'table',
        describe: 'a table of the source; repeatable',
      },
      {
        name: 'partition',
        type: 'text',
        completes: 'partition',
        describe: 'only the rows of this partition, by its bounds; one side may be a plain table',
      },
      { name: 'by', type: 'text', shown: 'the user of this machine', describe: 'name of the person who signs' },
      {
        name: 'report',
        type: 'text',
        completes: 'file',
        describe: 'file for the document: JSON if its name ends in .json, else Markdown; - prints it',
      },
      ...alertOptions(FAILED),
    ],
    epilogue:
      'All rows of both sides are compared as of one snapshot, by the program that runs the stream, or by this command if no program runs it; nothing is repaired. Exit code 0 ' +
      'means that all of them were equal and no check failed. The ledger keeps the sign-off: `sluice follow RUN --report -` lists those of a stream.\n',
  },
  words: {
    stream: words.text('run'),
    to: words.end('to'),
    from: words.optionalEnd('from'),
    tables: words.list('table'),
    partition: words.optionalText('partition'),
    by: words.optionalText('by'),
    report: words.optionalText('report'),
    alert: words.alert,
  },
  display: 'lines',
  doing: 'signing off',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: ['tables', 'stream'],
  inspection: STREAM_REPORT,
  alerts: { causes: FAILED, by: ['partition'] },
  events: EVENTS,
}
