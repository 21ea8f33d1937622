/** On request, reads all values of due periods, and finds those that an archive cannot hold. */
import { cutCondition } from '../steps/cut-condition.ts'
import { exportedReadColumns, wholeOf } from '../steps/context.ts'
import { NULL_KEY_HINT, nullKeyRows, nullKeyText } from '../steps/null-keys.ts'
import { VIOLATION_HINT, violations, violationText } from '../steps/unchecked.ts'
import { doubtful } from '../types/index.ts'
import type { Doubt } from '../types/doubt.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { canonicalCellText } from '../../model/copy/canonical.ts'
import { realDay } from '../../model/calendar/civil.ts'
import { membersOf, zeroText } from '../../model/copy/members.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { Cell } from '../../model/copy/rows.ts'
import type { Emit } from '../../model/run/event.ts'
import type { SluiceError } from '../../shared/errors.ts'
import { countText } from '../../shared/figures.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { nativeNow, type PlannedArchive } from './plan.ts'

const BATCH = { rows: 5000, bytes: 4 * 1024 * 1024 }

/**
 * Reads all due rows, and warns for each column with values that a run would refuse: values that the archive cannot
 * store, values outside the column's type, and rows that could not be restored. Also reports error values of an enum,
 * which a run archives.
 */
export async function reportDoubtful(
  { table, archived, partitions, by }: PlannedArchive,
  { store, emit, signal }: { readonly store: CopyStore; readonly emit: Emit<'log'>; readonly signal: AbortSignal },
): Promise<void> {
  const doubts = doubtful(archived.stored)
  for (const { candidate, label, status } of partitions) {
    if (candidate === null || status !== 'due') continue
    const native = await nativeNow(store, table, { native: candidate.native, away: false }, signal)
    const own = candidate.native === null ? table : native?.table
    if (own === undefined) continue
    const where = candidate.native === null ? cutCondition(store, table, archived, candidate) : null
    const columns = exportedReadColumns(archived.stored.columns)
    const placed = doubts.map((doubt) => ({ doubt, at: archived.stored.columns.indexOf(doubt.column) }))
    const counts = doubts.map(() => 0)
    const untyped = new Map<StoredColumn, number>()
    await using view = await store.source(signal)
    const onRefused = (row: readonly (string | null)[], error: SluiceError): void => {
      const invalid = placed.map(({ doubt, at }) => isInvalidValue(row[at] ?? null, doubt, error))
      for (const [i, is] of invalid.entries()) if (is) counts[i] = (counts[i] ?? 0) + 1
      const named = archived.stored.columns.find(({ name }) => namesColumn(error, name))
      if (named === undefined || doubts.some(({ column }, i) => column === named && invalid[i])) return
      untyped.set(named, (untyped.get(named) ?? 0) + 1)
    }
    const request = { table: own, columns, range: wholeOf(own), where, ordered: false, onRefused }
    const nulls = await nullKeyRows(view, request, signal)
    if (nulls > 0n) {
      const message = `a run would be refused: ${nullKeyText(label, nulls, request)}`
      emit({ type: 'log', level: 'warn', table: tableText(table.table), message, hint: NULL_KEY_HINT })
    }
    const isNative = candidate.native !== null
    const violating = await violations(label, view, request, { store, emit, signal, isNative })
    for (const one of violating) {
      const message = `a run would be refused: ${violationText(label, one)}`
      emit({ type: 'log', level: 'warn', table: tableText(table.table), message, hint: VIOLATION_HINT })
    }
    for await (const { rows } of view.read(request, BATCH, signal)) {
      for (const row of rows) {
        for (const [i, { doubt, at }] of placed.entries())
          if (!isStorable(row[at] ?? null, doubt)) counts[i] = (counts[i] ?? 0) + 1
      }
    }
    const warn = ({ name }: StoredColumn, count: number, what: string): void => {
      const message = `a run would be refused: ${label} has ${countText(count, 'value')} in ${name} that ${what}`
      const hint =
        name === by
          ? 'correct these values at the source'
          : `--as-text ${shellQuote(name)} stores the text that the source prints`
      emit({ type: 'log', level: 'warn', table: tableText(table.table), message, hint })
    }
    for (const [i, { column, why }] of doubts.entries()) {
      const count = counts[i] ?? 0
      if (count === 0) continue
      if (why !== null) {
        warn(column, count, `cannot be stored as ${column.stored} (${why})`)
        continue
      }
      const message = `${label} has ${countText(count, 'value')} in ${column.name} with number 0, the error value of the enum: the archive keeps it, and it is restored with number 0`
      emit({ type: 'log', level: 'note', table: tableText(table.table), message })
    }
    for (const [column, count] of untyped) {
      const { kind } = column.as
      const spelled = kind === 'timestamp' || kind === 'time' ? ', or not spelled as it would be restored' : ''
      warn(column, count, `${count === 1 ? 'is' : 'are'} not valid for its type (${column.column.native})${spelled}`)
    }
  }
}

/** True if a value is invalid for its type. @param text the value as printed, from a row that the source refused */
function isInvalidValue(text: string | null, doubt: Doubt, error: SluiceError): boolean {
  if (text === null) return false
  const { name, as } = doubt.column
  if (as.kind === 'native') return false
  if (as.kind !== 'decimal' && /^\d{4,}-\d\d-\d\d/.test(text)) return !isStorable(text, doubt)
  return namesColumn(error, name)
}

/** True if an error is about a value of the column. Systems write its name in quotes, or after the table's name. */
function namesColumn({ where = '' }: SluiceError, name: string): boolean {
  return [`column \`${name}\``, `column "${name}"`, `.${name}, row `].some((text) => where.includes(text))
}

/** True if the stored type can hold the value. */
function isStorable(cell: Cell, { column: { as } }: Doubt): boolean {
  if (cell === null) return true
  const text = canonicalCellText(cell)
  if (as.kind === 'native') return text !== zeroText(membersOf(as.name))
  if (as.kind !== 'decimal') {
    const [, year = '0', month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text) ?? []
    return Number(year) > 0 && realDay(Number(year), Number(month), Number(day)) !== null && !text.endsWith('BC')
  }
  const [, whole = '', rest = ''] = /^-?0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? []
  const { precision = 0, scale = 0 } = as
  return /^-?[\d.]+$/.test(text) && whole.length <= precision - scale && rest.length <= scale
}
