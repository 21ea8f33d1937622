import { REPORT_FORMATS, type ReportFormat } from '../../../model/run/report/formats.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import { CONNECT } from '../../../engine/run/operations/shared-options.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Report on one run from all its sources. Read-only. */
export type ReportOperation = {
  readonly kind: 'report'
  readonly run: string
  /** Target database of a copy, whose ledger is read. */
  readonly to?: string
  readonly catalog?: string
  /** Database with the queue of workers; read if no other source has the run. */
  readonly connect?: string
  readonly format: ReportFormat
  /** File for the report; if absent or `-`, the report is printed. */
  readonly write?: string
  readonly overwrite: boolean
}

const EVENTS = ['run.report', 'log'] as const

export const report: Declaration<ReportOperation, (typeof EVENTS)[number]> = {
  kind: 'report',
  command: {
    ...PAGES.report,
    takes: [
      {
        name: 'run',
        operand: true,
        type: 'text',
        completes: 'run',
        describe: 'id of the run; sluice runs lists them',
      },
      {
        name: 'to',
        type: 'text',
        completes: 'database',
        describe: 'URL of the target of a copy: also read its ledger',
      },
      CONNECT,
      {
        name: 'format',
        type: 'choice',
        choices: REPORT_FORMATS,
        default: 'markdown',
        describe: 'format; html is one file with charts that loads nothing from the network',
      },
      {
        name: 'write',
        type: 'text',
        completes: 'file',
        describe: 'file for the report, which must not exist yet; - prints it',
      },
      { name: 'overwrite', type: 'flag', default: false, describe: 'with --write: replace the file' },
    ],
    epilogue:
      'Reads the ledger of --to and the audit of --database-url if they are given, and always the run history ' +
      'of this machine, whose part of the report is for display only. If none of them has the run, the queue of ' +
      '--connect is read: it has shared runs by their id in runs --distributed, with their tasks and the ledger ' +
      'run of each task. A source that cannot be reached is named, and the exit code is that of its error. ' +
      'Nothing is compared.\n',
  },
  words: {
    run: words.text('run'),
    to: words.optionalEnd('to'),
    catalog: words.optionalCatalog,
    connect: words.optionalQueue,
    format: words.choice('format', REPORT_FORMATS),
    write: words.optionalText('write'),
    overwrite: words.flag('overwrite'),
  },
  display: 'listing',
  stores: [
    { field: 'to', family: 'database', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
    { field: 'connect', family: 'database', access: 'read' },
  ],
  about: 'run',
  events: EVENTS,
}
