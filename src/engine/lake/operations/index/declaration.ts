import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE, waitOption } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type IndexOperation = {
  readonly kind: 'index'
  readonly table: string
  /** Column names, spelled as in conditions. */
  readonly columns: readonly string[]
  readonly catalog: string
  /** True to remove the stored minimum and maximum values of the columns. */
  readonly drop: boolean
  /** Longest wait for another program, ms; 0 if absent. */
  readonly waitMs?: number
  readonly alert?: AlertOptions
}

const EVENTS = ['log'] as const

export const indexColumns: Declaration<IndexOperation, (typeof EVENTS)[number]> = {
  kind: 'index',
  command: {
    ...PAGES.index,
    takes: [
      TABLE,
      {
        name: 'column',
        operand: true,
        type: 'list',
        completes: 'column',
        describe: 'columns used in conditions; a.b for a field',
      },
      {
        name: 'drop',
        type: 'flag',
        default: false,
        describe: 'remove the stored minimum and maximum values of these columns',
      },
      waitOption('0s'),
      ...alertOptions(FAILED),
    ],
  },
  words: {
    table: words.text('table'),
    columns: words.list('column'),
    catalog: words.catalog,
    drop: words.flag('drop'),
    waitMs: words.duration('wait'),
    alert: words.alert,
  },
  display: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  alerts: { causes: FAILED, by: ['columns', 'drop'] },
  events: EVENTS,
}
