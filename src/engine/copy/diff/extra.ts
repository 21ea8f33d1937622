/** Rows that only the target has. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { BatchSize, RowRequest } from '../../../model/copy/source-port.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { keyPositions, plannedReadColumns } from '../table/context.ts'
import type { RowDifference } from './difference.ts'
import { rowBound, findsByKey, rowsByKey, sourceRequest, targetRequest, type DiffSides } from './sides.ts'

const KEYS: BatchSize = { rows: 500, bytes: 4 * 1024 * 1024 }
/** Number of unfound keys after which the whole source is read once to search for them. */
const KEYS_PER_SCAN = 50_000

/** Finds rows of the target in `range` whose keys the source does not have anywhere in the table. */
export async function findExtra(
  sides: DiffSides,
  range: Range,
  found: (difference: RowDifference) => Promise<void>,
  onSearched: (rows: number) => void = () => undefined,
): Promise<void> {
  const { plan, source, target, signal } = sides
  const places = keyPositions(plan)
  const isSure = findsByKey(plan)
  const unfound = new Map<string, RowKey>()
  const name = async (): Promise<void> => {
    const unread = isSure || unfound.size === 0 ? null : await removePresentKeys(sides, unfound)
    for (const key of unfound.values())
      await found({ key, kind: 'extra', columns: [], ...(unread === null ? {} : { unasked: unread }) })
    unfound.clear()
  }
  for await (const { rows } of target.read(targetRequest(sides, range), KEYS, signal)) {
    const keys = rows.map((row) => rowBound(plan, row))
    // Ignore unreadable rows here: the later second read of the suspects finds that they exist.
    const request: RowRequest = { ...sourceRequest(sides, { by: 'keys', keys }), onRefused: () => undefined }
    const there = await rowsByKey(source, request, plan, signal)
    for (const row of rows) {
      const text = keyTextOf(row, places)
      if (!there.has(text)) unfound.set(text, rowBound(plan, row))
    }
    if (isSure || unfound.size >= KEYS_PER_SCAN) await name()
    onSearched(rows.length)
  }
  await name()
}

/**
 * Removes from `unfound` the keys of all readable source rows.
 * @returns error of an unreadable source row if keys are left, because the row may have one of them; otherwise null
 */
async function removePresentKeys(sides: DiffSides, unfound: Map<string, RowKey>): Promise<SluiceError | null> {
  const { plan, source, signal } = sides
  const key = keyPositions(plan).flatMap((at) => plan.columns[at] ?? [])
  const places = key.map((_, at) => at)
  let unread: SluiceError | null = null
  const request: RowRequest = {
    ...sourceRequest(sides, EVERY_KEY),
    columns: plannedReadColumns({ columns: key }),
    onRefused: (_row, error) => (unread ??= error),
  }
  for await (const { rows } of source.read(request, KEYS, signal)) {
    for (const row of rows) unfound.delete(keyTextOf(row, places))
    if (unfound.size === 0) return null
  }
  return unread
}
