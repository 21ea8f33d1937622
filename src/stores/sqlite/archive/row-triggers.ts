/** Triggers of a SQLite table that fire when an archive removes rows or restores them. */
import type Database from 'better-sqlite3'
import { foldedText } from '../../../shared/name-pattern.ts'
import type { RowTriggers } from '../../../model/archive/port.ts'
import { triggerText, type WriteKind, type TriggerText, type TriggerWrite } from './trigger-writes.ts'

type Found = TriggerText & { readonly name: string; readonly table: string }
/** A foreign key that changes rows of the table `child` if rows of `parent` are deleted, or get another key. */
type Action = {
  readonly child: string
  readonly parent: string
  readonly on_delete: string
  readonly on_update: string
}

const REMEDY = 'drop it while no other program writes to the table, and create it again after the run or restore'

/**
 * Triggers that fire for inserts and deletes. `changing`: triggers that write to their own table, directly or through
 * triggers and foreign keys of other tables, or that skip rows by RAISE(IGNORE). No connection can disable triggers.
 */
export function sqliteRowTriggers(connection: Database.Database, table: string): RowTriggers {
  const name = foldedText(table, 'ascii')
  const rows = connection
    .prepare(`SELECT name, tbl_name AS "table", sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name`)
    .all() as readonly { readonly name: string; readonly table: string; readonly sql: string }[]
  const all = rows.flatMap((one): readonly Found[] =>
    one.name.startsWith('sluice_')
      ? []
      : [{ name: one.name, table: foldedText(one.table, 'ascii'), ...triggerText(one.sql) }],
  )
  const actions = connection
    .prepare(
      `SELECT s.name AS child, f."table" AS parent, f.on_delete, f.on_update FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f WHERE s.type = 'table'`,
    )
    .all() as readonly Action[]
  const changing: string[] = []
  const firing: string[] = []
  for (const one of all) {
    if (one.table !== name || one.on === 'update') continue
    const way = one.ignores ? [] : pathTo(name, one.writes, { all, actions })
    if (way === null) firing.push(`trigger ${one.name}`)
    else changing.push(`trigger ${one.name}${way.length === 0 ? '' : ` (through ${way.join(', ')})`}`)
  }
  return { changing, firing, quiet: false, remedy: REMEDY }
}

/** Tables through which the writes reach a table; empty if they write to it directly, null if they never reach it. */
function pathTo(
  table: string,
  writes: readonly TriggerWrite[],
  schema: { readonly all: readonly Found[]; readonly actions: readonly Action[] },
): readonly string[] | null {
  const seen = new Set<string>()
  let now = writes.map((write) => ({ write, way: [] as readonly string[] }))
  while (now.length > 0) {
    const there = now.find(({ write }) => write.table === table)
    if (there !== undefined) return there.way
    now = now.flatMap(({ write, way }) => {
      const id = `${write.deed} ${write.table}`
      if (seen.has(id)) return []
      seen.add(id)
      return furtherWrites(write, schema).map((next) => ({ write: next, way: [...way, write.table] }))
    })
  }
  return null
}

function furtherWrites(
  { table, deed }: TriggerWrite,
  { all, actions }: { readonly all: readonly Found[]; readonly actions: readonly Action[] },
): readonly TriggerWrite[] {
  return [
    ...all.flatMap((one) => (one.table === table && one.on === deed ? one.writes : [])),
    ...actions.flatMap((one): readonly TriggerWrite[] => {
      if (foldedText(one.parent, 'ascii') !== table) return []
      const done = actionOf(deed, one)
      return done === null ? [] : [{ table: foldedText(one.child, 'ascii'), deed: done }]
    }),
  ]
}

/**
 * How a foreign key changes referring rows if their parent row is deleted or gets another key: it deletes or updates
 * them. Null if it does not change them.
 */
function actionOf(deed: WriteKind, { on_delete, on_update }: Action): WriteKind | null {
  const action = deed === 'delete' ? on_delete : deed === 'update' ? on_update : ''
  if (action === 'CASCADE') return deed
  return action.startsWith('SET ') ? 'update' : null
}
