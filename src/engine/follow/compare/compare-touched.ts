/**
 * Compares the rows that changed since a comparison of all rows, as of a common snapshot, while users write. From then
 * on only later changes are noted, so a cutover has fewer rows to compare while other sessions wait.
 */
import type { RowKey } from '../../../model/copy/row-key.ts'
import { equalDigests } from '../../../model/copy/rows.ts'
import { digests } from '../../copy/diff/sides.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { openComparedSnapshot, type ComparedSnapshot, type SnapshotParts } from './common-snapshot.ts'
import { byIdentity } from './rereads.ts'
import type { TouchedRows } from './touched-rows.ts'

/** Keys per query. */
const AT_ONCE = 1000

/**
 * Compares the touched rows. If any of them differs, notes all rows as changed. After an error, notes the same rows
 * again.
 * @returns false if there was no common snapshot: a second attempt may succeed
 * @throws what the stores and the apply worker throw
 */
export async function compareTouched(
  { tables, ...parts }: SnapshotParts & { readonly tables: readonly FollowTable[] },
  touched: TouchedRows,
): Promise<boolean> {
  let all: readonly (readonly RowKey[] | null)[] = []
  const atSnapshot = (): void => {
    all = tables.map((_, at) => touched.keys(at))
    touched.begin()
  }
  try {
    const got = await openComparedSnapshot({ ...parts, atSnapshot })
    if (typeof got === 'string') return false
    await using snapshot = got
    if (!(await areEqual(tables, all, snapshot, parts.signal))) touched.noteAll()
    return true
  } catch (error) {
    for (const [at, keys] of all.entries()) {
      if (keys === null) touched.noteAll()
      else for (const key of keys) touched.note(at, key)
    }
    throw error
  }
}

async function areEqual(
  tables: readonly FollowTable[],
  all: readonly (readonly RowKey[] | null)[],
  { source, target }: ComparedSnapshot,
  signal: AbortSignal,
): Promise<boolean> {
  for (const [at, table] of tables.entries()) {
    const keys = all[at] ?? null
    if (keys === null) return false
    const sides = { plan: byIdentity(table), source, target, signal }
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      const [here, there] = await digests(sides, { by: 'keys', keys: keys.slice(from, from + AT_ONCE) })
      if (!equalDigests(here, there)) return false
    }
  }
  return true
}
