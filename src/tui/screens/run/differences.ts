/** Differing rows found by a `diff`, with the values of both sides. */
import type { DifferenceEvent } from '../../../model/run/event.ts'
import { amount } from '../../../render/screen-format.ts'
import { block, line, rule, span, type Line } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { RunView } from '../../run/run-view.ts'
import type { State } from '../../state/state.ts'

const WORDS = { missing: 'missing in the target', extra: 'only in the target', different: 'differs' } as const

/** Text of a difference, such as `(7, a) differs: speed 1.5 → 1.6`. */
export function rowDifferenceText({ key, difference, columns = [], fixed }: DifferenceEvent): string {
  const values = columns.map(({ column, source, target }) => `${column} ${source ?? 'NULL'} → ${target ?? 'NULL'}`)
  const name = key.length === 1 ? (key[0] ?? '') : `(${key.join(', ')})`
  return `${name} ${WORDS[difference]}${values.length === 0 ? '' : `: ${values.join(', ')}`}${fixed === true ? ', repaired' : ''}`
}

/** Differing rows of one table as text below a title; only the newest rows are kept. Empty if there are none. */
export function differingRows({ differences, differenceCount }: RunView, table: string): readonly string[] {
  const rows = differences.filter((one) => one.table === table).map((one) => `  ${rowDifferenceText(one)}`)
  if (rows.length === 0) return []
  const some = differences.length < differenceCount ? `, of the last ${differences.length} that were reported` : ''
  return ['', `${amount(rows.length, 'row')} that ${rows.length === 1 ? 'differs' : 'differ'}${some}`, ...rows]
}

/** A title and the newest rows, as many as fit. */
export function differenceLines(run: RunView, state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const lines = run.differences
    .slice(-rows)
    .map((one): Line => [
      span(` ${marks.differs} `, one.fixed === true ? 'warn' : 'bad'),
      span(padEnd(cutMiddle(clean(one.table), 27), 28)),
      span(cutEnd(clean(rowDifferenceText(one)), Math.max(10, cells - 33))),
    ])
  if (lines.length === 0) lines.push(line(`   ${noneText(run)}`, 'muted'))
  return block([rule(`differences · ${amount(run.differenceCount, 'row')}`, cells), ...lines], cells, rows + 1)
}

function noneText({ finished, comparing }: RunView): string {
  if (finished !== null) return 'none'
  const found = Number(comparing?.differences ?? 0)
  if (found === 0) return 'none was found so far'
  return `${amount(found, 'row')} so far: compared again before ${found === 1 ? 'it is' : 'they are'} named`
}
