import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type CompareOperation = {
  readonly kind: 'performance-compare'
  readonly table: string
  readonly catalog: string
  readonly runs: number
  readonly report?: string
  readonly questions?: readonly string[]
  readonly cold: boolean
  /** Simulated latency of every request to the lake and of every round trip to a database on a network, ms. */
  readonly latencyMs?: number
}

const EVENTS = ['plan.ready', 'chunk.started', 'chunk.done', 'question', 'run.report', 'log'] as const

/** Ids of all questions, in the order of the comparison. */
export const QUESTION_IDS = [
  'latest-version',
  'counts',
  'active-files',
  'files-of-partition',
  'min-max',
  'old-snapshot',
  'file-origin',
  'last-commits',
  'changes',
] as const

export const performanceCompare: Declaration<CompareOperation, (typeof EVENTS)[number]> = {
  kind: 'performance-compare',
  command: {
    ...PAGES['performance-compare'],
    takes: [
      TABLE,
      {
        name: 'runs',
        type: 'number',
        least: 1,
        most: 1000,
        default: 7,
        config: 'default',
        describe: 'how often each question is measured, in the catalog and in the log',
      },
      {
        name: 'question',
        type: 'list',
        choices: QUESTION_IDS,
        shown: 'all',
        describe: 'only this question; repeatable',
      },
      {
        name: 'cold',
        type: 'flag',
        default: true,
        describe: 'also ask each question once in a new process; --no-cold skips this',
      },
      {
        name: 'simulate-latency',
        type: 'text',
        unit: 'duration',
        describe: 'add this round-trip time, such as 30ms, to the lake and the database server; uses a proxy',
      },
      {
        name: 'report',
        type: 'text',
        completes: 'file',
        describe: 'write the report to this Markdown file; - prints it',
      },
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    runs: words.count('runs'),
    report: words.optionalText('report'),
    questions: words.filledList('question'),
    cold: words.flag('cold'),
    latencyMs: words.optionalDuration('simulate-latency'),
  },
  display: 'long',
  doing: 'comparing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
