/** Finds rows of a scope that differ now, including changes not yet applied: a repair reads these rows again. */
import { equalDigests } from '../../../model/copy/rows.ts'
import type { Range } from '../../../model/copy/range.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import type { RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { differenceOf, type RowDifference } from '../../copy/diff/difference.ts'
import { keyPositions } from '../../copy/table/context.ts'
import { completeShared, differenceOfKey } from '../../copy/diff/same-key.ts'
import { KeyedRows, rowBound, rowsByKey, requestsOf, sourceRequest, targetRequest } from '../../copy/diff/sides.ts'
import { viewDigest } from '../../copy/chunk/digest.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { byIdentity } from '../compare/rereads.ts'
import type { CompareScope } from './scope.ts'

const AT_ONCE = { rows: 500, bytes: 4 * 1024 * 1024 }

export type BothViews = { readonly source: SourceView; readonly target: SourceView; readonly signal: AbortSignal }

/**
 * Numbers of compared rows.
 * @property unread rows of the source that cannot be read: whether they are equal is unknown
 * @property unexplained key ranges whose checksums differ although no row does
 */
export type ComparedRows = { rows: number; targetRows: number; unread: number; unexplained: number }

/** @param found receives each difference, its key in the row key's columns; false ends the search */
export async function differencesIn(
  { plan, pieces, where }: CompareScope,
  table: FollowTable,
  views: BothViews,
  found: (difference: RowDifference) => Promise<boolean>,
): Promise<ComparedRows> {
  const inspected: ComparedRows = { rows: 0, targetRows: 0, unread: 0, unexplained: 0 }
  for await (const piece of pieces) {
    views.signal.throwIfAborted()
    const requests = {
      source: { ...sourceRequest({ plan }, piece), where: where.source },
      target: { ...targetRequest({ plan }, piece), where: where.target },
    }
    const rows = await equalRows(requests, views)
    if (typeof rows === 'number') {
      inspected.rows += rows
      inspected.targetRows += rows
      continue
    }
    let isExplained = rows === 'refused'
    const explained = async (difference: RowDifference): Promise<boolean> => {
      isExplained = true
      return await found(difference)
    }
    if (!(await rowByRow(requests, byIdentity(table), views, inspected, explained))) break
    if (!isExplained) inspected.unexplained++
  }
  return inspected
}

/**
 * Compares the rows of one key.
 * @returns the key as the system spells it, and the difference (null for equal rows); null if neither side has a row
 */
export async function rowsOfKey(
  key: RowKey,
  table: FollowTable,
  { source, target, signal }: BothViews,
): Promise<{ readonly key: RowDifference['key']; readonly difference: RowDifference | null } | null> {
  const plan = byIdentity(table)
  const [asked, wanted] = requestsOf({ plan }, { by: 'keys', keys: [key] })
  const [here, there] = await Promise.all([
    rowsByKey(source, asked, plan, signal),
    rowsByKey(target, wanted, plan, signal),
  ])
  const [[row], [copy]] = [[...here.values()], [...there.values()]]
  const known = row ?? copy
  if (known === undefined) return null
  const text = keyTextOf(known, keyPositions(plan))
  return { key: rowBound(plan, known), difference: differenceOfKey(plan, text, here, there) }
}

type Requests = { readonly source: RowRequest; readonly target: RowRequest }

/** Number of rows if both sides hold equal rows, otherwise `differ`; `refused` if a row cannot be read. */
async function equalRows(
  requests: Requests,
  { source, target, signal }: BothViews,
): Promise<number | 'differ' | 'refused'> {
  try {
    const [here, there] = await Promise.all([
      viewDigest(source, requests.source, signal),
      viewDigest(target, requests.target, signal),
    ])
    return equalDigests(here, there) ? Number(here.rows) : 'differ'
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'VALUE_REFUSED') throw thrown
    return 'refused'
  }
}

/**
 * Reads the rows of each side, and from the other side the rows with the same keys, in constant memory.
 * @returns false if `found` ended the search
 */
async function rowByRow(
  requests: Requests,
  plan: TablePlan,
  { source, target, signal }: BothViews,
  inspected: ComparedRows,
  found: (difference: RowDifference) => Promise<boolean>,
): Promise<boolean> {
  const places = keyPositions(plan)
  const done = new Set<string>()
  const onRefused: RowRequest['onRefused'] = () => void inspected.unread++
  for await (const { rows } of source.read({ ...requests.source, onRefused }, AT_ONCE, signal)) {
    inspected.rows += rows.length
    const keys = rows.map((row) => rowBound(plan, row))
    const there = await rowsByKey(target, targetRequest({ plan }, { by: 'keys', keys }), plan, signal)
    const here = new KeyedRows(plan)
    here.take(rows)
    await completeShared(here, there, done, async (first) => {
      const range: Range = { by: 'keys', keys: first.map((row) => rowBound(plan, row)) }
      return await rowsByKey(source, sourceRequest({ plan }, range), plan, signal)
    })
    for (const key of here.keys()) {
      const difference = differenceOfKey(plan, key, here, there)
      if (difference !== null && !(await found(difference))) return false
    }
  }
  for await (const { rows } of target.read(requests.target, AT_ONCE, signal)) {
    inspected.targetRows += rows.length
    const keys = rows.map((row) => rowBound(plan, row))
    let unread = 0
    const request = { ...sourceRequest({ plan }, { by: 'keys', keys }), onRefused: () => void unread++ }
    const here = await rowsByKey(source, request, plan, signal)
    // One of these rows exists but cannot be read. It is unknown which one, so report no row as missing.
    for (const row of unread > 0 ? [] : rows) {
      const difference = here.has(keyTextOf(row, places)) ? null : differenceOf(plan, undefined, row)
      if (difference !== null && !(await found(difference))) return false
    }
  }
  return true
}
