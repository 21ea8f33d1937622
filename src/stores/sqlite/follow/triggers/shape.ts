/** Schema fingerprint of a replicated table and its triggers, recorded at the start. VACUUM does not change it. */
import type Database from 'better-sqlite3'
import type { TableName } from '../../../../model/copy/column-type.ts'
import { uniquesOf } from './conflicts.ts'
import { definitionTokens } from '../../../common/definition-text.ts'
import { streamOfName } from '../../../common/sqlite-dialect/stream-names.ts'
import { sqliteLogTable } from './log.ts'
import { rowsOf } from '../../reader.ts'
import { definitionOf } from '../../copy/shape.ts'

type Noted = {
  /** Definition of the table; null if there is none. */
  readonly table: string | null
  /** Unique indexes by name, with their definitions. */
  readonly unique: Readonly<Record<string, string>>
  /** Name and definition of the log and its triggers, in the order of their creation. */
  readonly made: readonly (readonly [name: string, sql: string])[]
  /** User triggers that run before those of the stream and may keep them from running; absent if there are none. */
  readonly ignoring?: readonly string[]
}

/** @returns JSON */
export function sqliteShapeText(
  connection: Database.Database,
  stream: string,
  number: number,
  { name }: TableName,
): string {
  const definition = definitionOf(connection, name)
  const all = rowsOf(
    connection,
    `SELECT name, sql FROM main.sqlite_schema WHERE type IN ('table', 'trigger') ORDER BY type, rowid`,
  ) as readonly (readonly [string, string])[]
  const own = all.filter(
    ([one]) =>
      streamOfName(one) === stream &&
      (one === sqliteLogTable(stream, number) || one.startsWith(`${stream}_${number}_`)),
  )
  const unique = definition === null ? [] : uniquesOf(connection, name)
  const ignoring = ignoringTriggers(connection, name, own)
  const noted: Noted = {
    table: definition,
    unique: Object.fromEntries(unique.map((one) => [one.name, one.sql ?? ''])),
    made: own,
    ...(ignoring.length === 0 ? {} : { ignoring }),
  }
  return JSON.stringify(noted)
}

/**
 * Names of the user's AFTER triggers with RAISE(IGNORE) that are newer than the triggers of the stream. SQLite runs the
 * newest AFTER trigger first. After RAISE(IGNORE) the row stays changed, but no older trigger runs. BEFORE triggers are
 * not included, because RAISE(IGNORE) there prevents the change, too.
 */
function ignoringTriggers(
  connection: Database.Database,
  table: string,
  own: readonly (readonly [name: string, sql: string])[],
): readonly string[] {
  const triggers = rowsOf(
    connection,
    `SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY rowid`,
    [table],
  ) as readonly (readonly [string, string])[]
  const names = new Set(own.map(([name]) => name))
  const first = triggers.findIndex(([name]) => names.has(name))
  const newer = first === -1 ? [] : triggers.slice(first)
  return newer.flatMap(([name, sql]) => (!names.has(name) && ignoresAfter(sql) ? [name] : []))
}

/** @param sql as SQLite stores it: CREATE TRIGGER, the name, and the rest as the user wrote it */
function ignoresAfter(sql: string): boolean {
  const tokens = definitionTokens(sql, 'brackets').map(({ is, text }) => (is === 'quoted' ? '' : text.toUpperCase()))
  const ignores = tokens.some((one, at) => one === 'RAISE' && tokens[at + 1] === '(' && tokens[at + 2] === 'IGNORE')
  return tokens[3] === 'AFTER' && ignores
}

/** Fault of one table of a stream. */
type NotedFault = { readonly code: 'TABLE_CHANGED' | 'TRIGGERS_CHANGED'; readonly reason: string }

/**
 * @param before `sqliteShapeText` at the start
 * @param now current `sqliteShapeText`
 * @returns null if no change can be missing
 */
export function notedFault(before: string | undefined, now: string): NotedFault | null {
  if (before === now) return null
  const [was, is] = [JSON.parse(before ?? '{"table":null,"unique":{},"made":[]}') as Noted, JSON.parse(now) as Noted]
  if (is.table === null) return { code: 'TABLE_CHANGED', reason: 'it was dropped or renamed' }
  if (is.table !== was.table) return { code: 'TABLE_CHANGED', reason: 'its definition was changed' }
  const fresh = Object.entries(is.unique).find(([name, sql]) => was.unique[name] !== sql)
  if (fresh !== undefined) {
    const reason = `unique index ${fresh[0]} is new: rows that OR REPLACE removed because of it were not recorded`
    return { code: 'TABLE_CHANGED', reason }
  }
  const [ignoring] = is.ignoring ?? []
  if (ignoring !== undefined) {
    const reason = `trigger ${ignoring} is newer than the triggers of the stream, and its RAISE(IGNORE) keeps them from recording changes: drop it, and create it again before the table is copied again`
    return { code: 'TRIGGERS_CHANGED', reason }
  }
  if (JSON.stringify(is.made) === JSON.stringify(was.made)) return null
  const lost = was.made.find(([name, sql]) => !is.made.some(([one, text]) => one === name && text === sql))
  const reason =
    lost === undefined
      ? 'a trigger that notes its changes was recreated: for a while it may not have fired'
      : `${lost[0]}, which records its changes, was dropped or changed`
  return { code: 'TRIGGERS_CHANGED', reason }
}
