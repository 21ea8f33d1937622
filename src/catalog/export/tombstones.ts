/**
 * Remove actions that a checkpoint must still contain (PROTOCOL.md, "Action Reconciliation"): the latest action of the
 * file is a remove, and the retention has not passed. VACUUM keeps the files that these actions name.
 */
import type { RemoveAction } from '../../delta/actions.ts'
import { parseAction } from '../../delta/parse-action.ts'
import { canonicalPath, dvId } from '../../delta/paths.ts'
import { hashInto, type HashPair } from '../../shared/hash.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import { utf8 } from './adds.ts'

const PAGE_ROWS = 500

const REMOVES = `SELECT version, source, line, raw FROM delta_actions
  WHERE table_id = ? AND kind = 'remove' AND version >= ? AND version <= ? AND (version > ? OR source = ?)
    AND (version < ? OR (version = ? AND (source < ? OR (source = ? AND line < ?))))
  ORDER BY version DESC, source DESC, line DESC LIMIT ?`

/**
 * Remove actions that are valid at a version, newest first.
 * @param baseSource value of `source` for the first version: its removes are read from its checkpoint or its commit
 * @param after remove actions up to this time (ms) have expired
 */
export async function* tombstonesAt(
  reader: SqlReader,
  table: { readonly tableId: string; readonly location: string; readonly historyFrom: number },
  version: number,
  baseSource: number,
  after: number,
): AsyncGenerator<readonly RemoveAction[]> {
  const { tableId, location, historyFrom } = table
  const seen = new Set<string>()
  let at = [version + 1, 0, 0]
  for (;;) {
    const [atVersion, atSource, atLine] = at as [number, number, number]
    const place = [atVersion, atVersion, atSource, atSource, atLine]
    const rows = await reader.all(REMOVES, [
      tableId,
      historyFrom,
      version,
      historyFrom,
      baseSource,
      ...place,
      PAGE_ROWS,
    ])
    const candidates: Candidate[] = []
    for (const [removedAt, , line, raw] of rows) {
      const action = parseAction(utf8(raw as Uint8Array), () => `remove at ${String(removedAt)}:${String(line)}`)
      if (action.kind !== 'remove') continue
      const { remove } = action
      if ((remove.deletionTimestamp ?? 0) <= after) continue
      const candidate = candidateOf(remove, location)
      if (seen.has(candidate.id)) continue
      seen.add(candidate.id)
      candidates.push(candidate)
    }
    const active = await activeAmong(reader, table, version, candidates)
    const found = candidates.filter(({ id }) => !active.has(id)).map(({ remove }) => remove)
    if (found.length > 0) yield found
    if (rows.length < PAGE_ROWS) return
    at = (rows.at(-1) as readonly number[]).slice(0, 3)
  }
}

type Candidate = {
  readonly remove: RemoveAction
  readonly path: string
  readonly dv: string | null
  readonly hash: number
  /** Two hashes of the key, 85 bits in total, because memory must hold a million keys. */
  readonly id: string
}

const pair: HashPair = { a: 0, b: 0 }

function candidateOf(remove: RemoveAction, root: string): Candidate {
  const path = canonicalPath(remove.path, root)
  const dv = dvId(remove.deletionVector)
  hashInto(pair, path, dv)
  return { remove, path, dv, hash: pair.a, id: `${pair.a}:${pair.b}` }
}

/** Ids of candidates whose file is active at the version: it was added again. */
async function activeAmong(
  reader: SqlReader,
  table: { readonly tableId: string; readonly location: string },
  version: number,
  candidates: readonly Candidate[],
): Promise<ReadonlySet<string>> {
  const active = new Set<string>()
  if (candidates.length === 0) return active
  const rows = await reader.all(
    `SELECT path, dv_id FROM delta_files WHERE key_hash IN (${candidates.map(() => '?').join(',')}) AND table_id = ?
       AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?)`,
    [...candidates.map(({ hash }) => hash), table.tableId, version, version],
  )
  const there = new Set(rows.map(([path, dv]) => JSON.stringify([canonicalPath(path as string, table.location), dv])))
  for (const { path, dv, id } of candidates) if (there.has(JSON.stringify([path, dv]))) active.add(id)
  return active
}
