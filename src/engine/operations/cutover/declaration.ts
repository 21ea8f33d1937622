import { COPY_EVENTS } from '../copy/declaration.ts'
import { ENDS } from '../copy/options.ts'
import type { Declaration } from '../declaration.ts'
import { PAGES } from '../pages.ts'
import type { RunOf } from '../../run-context.ts'
import * as words from '../words.ts'

/** Two tables of one database change places: the one that a stream has filled gets the public name, and the other is kept equal from then on. */
export type CutoverOperation = {
  readonly kind: 'cutover'
  /** Id of the stream, of one before or after it, or of a run of it. */
  readonly stream: string
  readonly to: string
  /** That of the target, which is the same database, when absent. */
  readonly from?: string
  /** Name that the old table gets; one that is made from its name when absent. */
  readonly parked?: string
  /** Longest that anybody may wait for one try, ms. */
  readonly budgetMs: number
  /** How long tries are made, ms, once all rows are compared. */
  readonly triesForMs: number
  /** No sign-off is asked for. */
  readonly unsigned: boolean
  readonly revert: boolean
  /** Goes on following the way back, instead of ending when it has caught up. */
  readonly stay: boolean
  readonly dryRun: boolean
  /** The public name, said twice. */
  readonly confirm?: string
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
      { name: 'run', operand: true, type: 'text', completes: 'run', describe: 'id of the stream, or of its last run' },
      ...ENDS,
      {
        name: 'parked',
        type: 'text',
        shown: 'the name it had before, else TABLE_before_cutover',
        describe: 'name that the old table gets',
      },
      {
        name: 'pause-budget',
        type: 'text',
        unit: 'duration',
        least: 100,
        default: '2s',
        describe: 'longest that writers may wait: a try that takes longer changes nothing, and is made again later',
      },
      {
        name: 'tries-for',
        type: 'text',
        unit: 'duration',
        default: '10m',
        describe: 'how long tries are made, counted from the end of the first comparison; exit code 75 after that',
      },
      { name: 'unsigned', type: 'flag', default: false, describe: 'ask for no sign-off; the ledger says so' },
      { name: 'revert', type: 'flag', default: false, describe: 'go back: the parked table gets its name again' },
      {
        name: 'follow',
        type: 'flag',
        default: false,
        describe: 'go on following the way back; else the run ends when it has caught up',
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'show gates and findings, and change nothing',
      },
    ],
    epilogue:
      'Every row is compared before the tables change places, and those that were changed since are compared within it. Both happens in one transaction, or not at all. The old table stays, ' +
      'and a stream keeps it equal: cutover RUN --revert goes back, as often as wanted. A run that was killed is run again.\n',
  },
  words: {
    stream: words.text('run'),
    to: words.end('to'),
    from: words.optionalEnd('from'),
    parked: words.optionalText('parked'),
    budgetMs: words.duration('pause-budget'),
    triesForMs: words.duration('tries-for'),
    unsigned: words.flag('unsigned'),
    revert: words.flag('revert'),
    stay: words.flag('follow'),
    dryRun: words.flag('dry-run'),
    confirm: words.optionalText('confirm'),
  },
  shape: 'long',
  doing: 'cutting over',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  destroys: [
    {
      what: 'which table the public name means',
      confirm: 'confirm',
      asked: true,
      named: { event: 'cutover.gate', field: 'table' },
    },
  ],
  plans: 'dryRun',
  events: CUTOVER_EVENTS,
}

export type CutoverRun = RunOf<typeof cutover>
