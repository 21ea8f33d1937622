/** Finds rows that violate a constraint which the system did not check: once removed, they could not be restored. */
import { tableText } from '../../model/copy/column-type.ts'
import { rowKeyOf } from '../../model/copy/row-key.ts'
import type { RowRequest, SourceView } from '../../model/copy/source-port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Emit } from '../../model/run/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { countText } from '../../shared/figures.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { NamedRowCounter, type NamedRows } from './named-rows.ts'

/** Rows that violate one constraint. */
export type Violation = { readonly constraint: string; readonly rows: NamedRows }

/** Hint of errors about rows that violate a constraint. */
export const VIOLATION_HINT =
  'correct or remove these rows, or drop the constraint, then run the same command again; a restore needs the table without the constraint, too'

const SIZE = { rows: 5000, bytes: 4 * 1024 * 1024 }

type ViolationContext = {
  readonly store: CopyStore
  readonly emit: Emit<'log'>
  readonly signal: AbortSignal
  /** True for a native partition: a restore of its table tests only constraints of column types. */
  readonly isNative: boolean
}

/**
 * @returns constraints with rows that violate them; a constraint that cannot be tested is reported
 */
export async function violations(
  label: string,
  view: SourceView,
  request: RowRequest,
  { store, emit, signal, isNative }: ViolationContext,
): Promise<readonly Violation[]> {
  const { table } = request
  const listed = (await store.offers.unchecked?.list(table.table, signal)) ?? []
  const all = isNative ? listed.filter(({ ofType }) => ofType) : listed
  if (all.length === 0) return []
  const conditions = all.flatMap(({ violated }) => (violated === null ? [] : [`(${violated})`]))
  if (conditions.length === all.length) {
    // Usually no row violates a constraint, so one read is sufficient for all constraints.
    const any = await violatingRows(view, request, conditions.join(' OR '), signal)
    if (any?.rows === 0n) return []
  }
  const found: Violation[] = []
  for (const { constraint, violated } of all) {
    const rows = violated === null ? null : await violatingRows(view, request, violated, signal)
    if (rows === null) {
      const message = `${label}: rows could not be tested for ${constraint}; the table would refuse those that violate it when they are restored`
      emit({ type: 'log', level: 'warn', table: tableText(table.table), message })
    } else if (rows.rows > 0n) found.push({ constraint, rows })
  }
  return found
}

/** Errors of a test: the role cannot read the parent table, or a function does not exist in this session. */
const UNTESTABLE: ReadonlySet<string> = new Set(['BAD_PREDICATE', 'SOURCE_DENIED'])

/** Rows that violate a constraint; null if the condition cannot be tested. */
async function violatingRows(
  view: SourceView,
  request: RowRequest,
  violated: string,
  signal: AbortSignal,
): Promise<NamedRows | null> {
  const { table, where } = request
  const columns = request.columns.filter(({ name }) => table.key.includes(name))
  const places = columns.map((_, at) => at)
  const named = new NamedRowCounter()
  const condition = where === null ? violated : `(${where}) AND (${violated})`
  try {
    for await (const { rows } of view.read({ ...request, columns, where: condition }, SIZE, signal))
      for (const row of rows) named.add(rowKeyOf(row, places))
    return named.named()
  } catch (thrown) {
    if (thrown instanceof SluiceError && UNTESTABLE.has(thrown.code)) return null
    throw thrown
  }
}

/** Text such as `2020-Q1 has 2 rows that violate CHECK positive, such as 17`. */
export function violationText(label: string, { constraint, rows: { rows, keys } }: Violation): string {
  return `${label} has ${countText(rows, 'row')} that ${rows === 1n ? 'violates' : 'violate'} ${constraint}${rows === 1n ? ':' : ', such as'} ${keys[0] ?? ''}`
}

/**
 * @param hint hint for the present state of the partition
 * @throws SluiceError ROW_REFUSED if rows could not be restored into the table once they are removed
 */
export async function refuseViolations(
  { store, name, emit, interrupt }: ArchiveContext,
  { label, native }: Pick<ArchivedPartition, 'label' | 'native'>,
  view: SourceView,
  request: RowRequest,
  hint = VIOLATION_HINT,
): Promise<void> {
  const isNative = native !== null
  const found = await violations(label, view, request, { store, emit, signal: interrupt.abort, isNative })
  if (found.length === 0) return
  throw new SluiceError('ROW_REFUSED', found.map((one) => violationText(label, one)).join('; '), {
    where: `${name}, ${label}`,
    reason: 'the table would refuse these rows when they are restored',
    hint,
  })
}
