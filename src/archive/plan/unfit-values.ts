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
import type { PlannedPartition } from './planned-status.ts'

const BATCH = { rows: 5000, bytes: 4 * 1024 * 1024 }

/**
 * Reads all rows that a run exports, and warns for each column with values that a run would refuse: values that the
 * archive cannot store, values outside of the type of the column, and rows that could not be restored. Also reports
 * error values of an enum, which a run archives.
 */
export async function reportDoubtful(
  { table, archived, partitions, by }: PlannedArchive,
  { store, emit, signal }: { readonly store: CopyStore; readonly emit: Emit<'log'>; readonly signal: AbortSignal },
): Promise<void> {
  const name = tableText(table.table)
  const doubts = doubtful(archived.stored)
  for (const planned of partitions) {
    const { candidate, label } = planned
    if (candidate === null || !isExported(planned)) continue
    const native = await nativeNow(store, table, { native: candidate.native, away: false }, signal)
    const own = candidate.native === null ? table : native?.table
    if (own === undefined) continue
    const where = candidate.native === null ? cutCondition(store, table, archived, candidate) : null
    const columns = exportedReadColumns(archived.stored.columns)
    const counts = new ValueCounts(archived.stored.columns, doubts)
    await using view = await store.source(signal)
    const onRefused = (row: readonly (string | null)[], error: SluiceError): void => counts.refused(row, error)
    const request = { table: own, columns, range: wholeOf(own), where, ordered: false, onRefused }
    const warn = (what: string, hint: string): void =>
      emit({ type: 'log', level: 'warn', table: name, message: `a run would be refused: ${what}`, hint })
    const nulls = await nullKeyRows(view, request, signal)
    if (nulls > 0n) warn(nullKeyText(label, nulls, request), NULL_KEY_HINT)
    const isNative = candidate.native !== null
    for (const one of await violations(label, view, request, { store, emit, signal, isNative }))
      warn(violationText(label, one), VIOLATION_HINT)
    for await (const { rows } of view.read(request, BATCH, signal)) counts.add(rows)
    for (const { column, count, what } of counts.found()) {
      const has = `${label} has ${countText(count, 'value')} in ${column.name}`
      if (what === null) {
        const message = `${has} with number 0, the error value of the enum: the archive keeps it, and it is restored with number 0`
        emit({ type: 'log', level: 'note', table: name, message })
      } else if (column.name === by) warn(`${has} that ${what}`, 'correct these values at the source')
      else warn(`${has} that ${what}`, `--as-text ${shellQuote(column.name)} stores the text that the source prints`)
    }
  }
}

/** True if a run exports the partition from the table. A detached one (`away`) has no candidate in the table. */
function isExported({ status, known }: PlannedPartition): boolean {
  if (status === 'due') return true
  return status === 'resume' && known !== null && !known.away && EXPORTED_NEXT.has(known.state)
}

const EXPORTED_NEXT: ReadonlySet<string> = new Set(['PLANNED', 'EXPORTING', 'FAILED'])

/** @property what why a run would refuse the values; null for error values of an enum, which it archives */
type FoundValues = { readonly column: StoredColumn; readonly count: number; readonly what: string | null }

/** Counts the values of a period that its archive cannot hold. */
class ValueCounts {
  readonly #columns: readonly StoredColumn[]
  readonly #doubts: readonly { readonly doubt: Doubt; readonly at: number; count: number }[]
  /** Values that are invalid for the type of their column, by column, without those that a doubt counts. */
  readonly #untyped = new Map<StoredColumn, number>()

  constructor(columns: readonly StoredColumn[], doubts: readonly Doubt[]) {
    this.#columns = columns
    this.#doubts = doubts.map((doubt) => ({ doubt, at: columns.indexOf(doubt.column), count: 0 }))
  }

  /** @param row values as printed, of a row that the source refused */
  refused(row: readonly (string | null)[], error: SluiceError): void {
    const invalid = this.#doubts.filter(({ doubt, at }) => isInvalidValue(row[at] ?? null, doubt, error))
    for (const one of invalid) one.count++
    const named = this.#columns.find(({ name }) => namesColumn(error, name))
    if (named === undefined || invalid.some(({ doubt }) => doubt.column === named)) return
    this.#untyped.set(named, (this.#untyped.get(named) ?? 0) + 1)
  }

  add(rows: readonly (readonly Cell[])[]): void {
    for (const row of rows) for (const one of this.#doubts) if (!isStorable(row[one.at] ?? null, one.doubt)) one.count++
  }

  found(): readonly FoundValues[] {
    const unstorable = this.#doubts.map(({ doubt: { column, why }, count }) => {
      return { column, count, what: why === null ? null : `cannot be stored as ${column.stored} (${why})` }
    })
    const untyped = [...this.#untyped].map(([column, count]) => {
      const { kind } = column.as
      const spelled = kind === 'timestamp' || kind === 'time' ? ', or not spelled as it would be restored' : ''
      const what = `${count === 1 ? 'is' : 'are'} not valid for its type (${column.column.native})${spelled}`
      return { column, count, what }
    })
    return [...unstorable, ...untyped].filter(({ count }) => count > 0)
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
