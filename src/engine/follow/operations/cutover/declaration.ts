import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import { COPY_EVENTS } from '../../../copy/operations/copy/declaration.ts'
import { ENDS, STREAM } from '../../../copy/operations/copy/options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import type { RunOf } from '../../../run/run-context.ts'
import * as words from '../../../run/operations/words.ts'

/**
 * Moves users to the table that a stream has filled, and keeps the old table equal from then on. Within one database
 * both tables are renamed; between two databases the writers move from one to the other.
 */
export type CutoverOperation = {
  readonly kind: 'cutover'
  /** Id of the stream, of an earlier or later stream of its family, or of a run of the stream. */
  readonly stream: string
  readonly to: string
  /** URL of the source; absent: the one stored with the stream. */
  readonly from?: string
  /** Name that the old table gets; absent: derived from its present name. */
  readonly parked?: string
  /** Longest time that a session may wait for one attempt, ms; absent: 2000 within one database, 10000 between two. */
  readonly budgetMs?: number
  /** How long attempts are made, ms, once all rows are compared. */
  readonly triesForMs: number
  /** True if no sign-off is required. */
  readonly unsigned: boolean
  readonly revert: boolean
  /** Between two databases: a shell command that reports the new address to users. */
  readonly onSwitch?: string
  /** Between two databases: true to wait for sessions with a write lock on the source, instead of terminating them. */
  readonly keepSessions: boolean
  /** True to keep the reverse stream running, instead of ending when it has caught up. */
  readonly stay: boolean
  readonly dryRun: boolean
  /** The public name, as confirmation. */
  readonly confirm?: string
  readonly alert?: AlertOptions
}

export const CUTOVER_EVENTS = [
  ...COPY_EVENTS,
  'cutover.gate',
  'cutover.finding',
  'cutover.step',
  'cutover.switched',
] as const

export const cutover: Declaration<CutoverOperation, (typeof CUTOVER_EVENTS)[number]> = {
  kind: 'cutover',
  command: {
    ...PAGES.cutover,
    takes: [
      STREAM,
      ...ENDS,
      {
        name: 'parked',
        type: 'text',
        shown: 'the name it had before, else TABLE_before_cutover',
        describe: 'new name of the old table',
      },
      {
        name: 'pause-budget',
        type: 'text',
        unit: 'duration',
        least: 100,
        shown: '2s, and 10s between two databases',
        describe: 'longest pause of writers: a try that takes longer changes nothing and is repeated later',
      },
      {
        name: 'tries-for',
        type: 'text',
        unit: 'duration',
        default: '10m',
        describe: 'stop retrying after this time, counted from the end of the first comparison (exit 75)',
      },
      {
        name: 'unsigned',
        type: 'flag',
        default: false,
        describe: 'do not require a sign-off; the ledger records that it was missing',
      },
      {
        name: 'revert',
        type: 'flag',
        default: false,
        describe: 'undo the cutover: users work with the old table again',
      },
      {
        name: 'on-switch',
        type: 'text',
        describe:
          'for a cutover between two databases: shell command that points users to the new address, which it finds in SLUICE_SWITCH_HOST, SLUICE_SWITCH_PORT and SLUICE_SWITCH_DATABASE',
      },
      {
        name: 'keep-sessions',
        type: 'flag',
        default: false,
        describe:
          'for a cutover between two databases: wait for sessions that keep the source open for writing, instead of terminating them',
      },
      {
        name: 'follow',
        type: 'flag',
        default: false,
        describe: 'keep running the reverse stream; else the run ends when it has caught up',
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'show cutover checks and findings, and change nothing',
      },
      ...alertOptions(FAILED),
    ],
    first: [
      'from',
      'to',
      'parked',
      'pause-budget',
      'tries-for',
      'unsigned',
      'revert',
      'on-switch',
      'follow',
      'dry-run',
    ],
    epilogue:
      'Every row is compared before the tables are exchanged. Rows that changed since then are compared in the ' +
      'transaction that exchanges the tables: it does all of this, or nothing. The old table is kept, and a ' +
      'stream keeps it equal: cutover RUN --revert goes back, as often as needed. After a kill, run the same ' +
      'command again.\n',
  },
  words: {
    stream: words.text('run'),
    to: words.end('to'),
    from: words.optionalEnd('from'),
    parked: words.optionalText('parked'),
    budgetMs: words.optionalDuration('pause-budget'),
    triesForMs: words.duration('tries-for'),
    unsigned: words.flag('unsigned'),
    revert: words.flag('revert'),
    onSwitch: words.optionalText('on-switch'),
    keepSessions: words.flag('keep-sessions'),
    stay: words.flag('follow'),
    dryRun: words.flag('dry-run'),
    confirm: words.optionalText('confirm'),
    alert: words.alert,
  },
  display: 'long',
  doing: 'cutting over',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: ['confirm', 'stream'],
  destroys: [
    {
      what: 'which table the public name means',
      confirm: 'confirm',
      asked: 'to give this name to the other table',
      named: { event: 'cutover.gate', field: 'table' },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED, by: ['revert'] },
  events: CUTOVER_EVENTS,
}

export type CutoverRun = RunOf<typeof cutover>
