/** Values of a column of a plain table as candidates for the archive: one partition per value. */
import { valueCondition } from '../steps/cut-condition.ts'
import type { ArchiveRecord } from '../ledger/record.ts'
import { normalizer } from '../../model/copy/canonical.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ColumnValue } from '../../model/archive/values-port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { isAsked, type NamedPartition } from '../work/named-partitions.ts'
import type { ArchiveCandidate } from './candidate.ts'
import { lateText, partFor } from './further-part.ts'
import { LONGEST_LABEL, valueLabel } from './value-label.ts'
import { columnNamed } from '../../engine/copy/plan/column-named.ts'

/** Maximum number of different values of a column whose values are partitions. */
export const MOST_VALUES = 1000

/**
 * All values in the table, by label. If a value's partition was already removed, the rows are late.
 * @throws SluiceError BAD_FLAG for a column whose values cannot be partitions, or that has more than MOST_VALUES
 */
export async function valueCandidates(
  table: TableSpec,
  columnName: string,
  asked: readonly NamedPartition[],
  record: ArchiveRecord | null,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<readonly ArchiveCandidate[]> {
  const column = columnNamed(table, columnName)
  const candidates: ArchiveCandidate[] = []
  for (const { value, label, rows, note } of await namedValues(table, column, { store, signal })) {
    const part = note === undefined ? partFor(record, label) : { label, period: label, part: 1 }
    // `partFor` uses only the parts in the ledger, not the rows in the source.
    if (part === null) continue
    const late = part.part > 1 ? { note: lateText(rows, part.period) } : {}
    candidates.push({
      ...part,
      from: value,
      to: null,
      native: null,
      rows,
      estimated: false,
      bytes: table.rows === 0n ? 0n : (table.bytes * rows) / (table.rows > rows ? table.rows : rows),
      ...(!isAsked(asked, part)
        ? { status: 'later', ...late, ...(note === undefined ? {} : { note }) }
        : note === undefined
          ? { status: 'due', ...late }
          : { status: 'blocked', note }),
    })
  }
  return candidates
}

type NamedValue = {
  readonly value: string | null
  readonly label: string
  readonly rows: bigint
  /** Why the value cannot be a partition, as text. */
  readonly note?: string
}

async function namedValues(
  table: TableSpec,
  column: Column,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<readonly NamedValue[]> {
  const where = `${tableText(table.table)}.${column.name}`
  if (store.offers.rowValues === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `tables of ${store.system} are archived by time only`, {
      where: store.label,
      hint: 'use --by with a time column instead of --by-value',
    })
  }
  const found = await store.offers.rowValues.values(table, column, MOST_VALUES, signal)
  if (found === null) {
    throw new SluiceError('BAD_FLAG', `${where} cannot be archived by value: its type is ${column.native}`, {
      where,
      reason: `${store.system} does not compare values of this type exactly`,
      hint: 'name a column of texts or whole numbers with --by-value, or a time column with --by',
    })
  }
  if (found.more) {
    throw new SluiceError('BAD_FLAG', `${where} has more than ${MOST_VALUES} values`, {
      where,
      reason: 'each of them would be a partition with separate files',
      hint: 'name a column with few values with --by-value, or a time column with --by',
    })
  }
  const named = new Map<string, NamedValue>()
  for (const one of found.values) {
    const next = namedValue(store, column, one)
    const same = named.get(next.label)
    named.set(next.label, same === undefined ? next : { ...same, rows: same.rows + next.rows })
  }
  return [...named.values()].toSorted((a, b) => (a.label < b.label ? -1 : 1))
}

function namedValue(store: CopyStore, column: Column, { value: raw, rows, odd }: ColumnValue): NamedValue {
  const blocked = (why: string): NamedValue => {
    const label = valueLabel(raw)
    const shown = label.length > LONGEST_LABEL ? `${label.slice(0, 60)}…` : label
    return { value: raw, label: shown, rows, note: why }
  }
  if (odd === true) return blocked(`it is not a valid ${column.native}`)
  let value: string | null
  try {
    value = raw === null ? null : String(normalizer(column.type)(raw))
  } catch {
    return blocked(`it is not a valid ${column.native}`)
  }
  // SQLite stores any bytes as text; invalid bytes are read as this character.
  if (value?.includes('\uFFFD') === true)
    return blocked('it has invalid characters, or characters that stand for such bytes')
  if (value !== null && isNotComparable(column, value)) return blocked('an archive cannot store this value')
  const label = valueLabel(value, column.type.kind)
  if (label.length > LONGEST_LABEL) {
    return blocked(`a name of ${label.length} characters is too long for a partition: the limit is ${LONGEST_LABEL}`)
  }
  if (valueCondition(store, column, value) === null) return blocked(`${store.system} does not compare it exactly`)
  return { value, label, rows }
}

/** True for NaN, infinity, dates BC and invalid dates of MySQL: systems compare them differently from files. */
function isNotComparable({ type: { kind } }: Column, value: string): boolean {
  if (kind === 'decimal') return !/^-?\d/.test(value)
  return kind === 'date' && !/^(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d$/.test(value)
}
