/** Unique indexes that the first partition needs: built while other sessions write, before tables are locked. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { InPlaceStatement, InPlaceReported } from '../../../../model/partition/in-place-port.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { About } from '../plan/about.ts'
import { withColumn, withPlace } from '../plan/list-text.ts'
import { indexTailSql } from '../plan/new-table-facts.ts'
import { INDEX_NOTES, indexMark, notOwnSql } from '../../server/marks.ts'

/** A unique index that does not contain the time column. */
export type Narrow = {
  readonly oid: string
  readonly name: string
  /** Definition from `USING` on. */
  readonly tail: string
  readonly isPrimary: boolean
  /** Clause ` DEFERRABLE …` of its constraint, or an empty text; null for an index without a constraint. */
  readonly constraint: string | null
  /** Comment of its constraint; null if there is none. */
  readonly comment: string | null
  /** Tablespace; null for the default. */
  readonly space: string | null
}

/** `of`: the existing index that the new index replaces at the cutover. `note`: kind of the new index. */
export type IndexToBuild = {
  readonly name: string
  readonly of: Narrow
  readonly note: keyof typeof INDEX_NOTES
  readonly sql: string
}

/** Indexes that must exist before the cutover. */
export async function wantedIndexes(about: About): Promise<readonly IndexToBuild[]> {
  const narrow = await about.session.objects<Narrow>(narrowSql(about))
  return narrow.flatMap((of): IndexToBuild[] => {
    const place = of.space === null ? '' : ` TABLESPACE ${quoteName(of.space)}`
    const build = (note: IndexToBuild['note'], attnum: string | null, tail: string): IndexToBuild => {
      const name = indexMark(about.oid, of.oid, attnum)
      const sql = `CREATE UNIQUE INDEX CONCURRENTLY ${quoteName(name)} ON ${about.sql} ${withPlace(tail, place)}`
      return { name, of, note, sql }
    }
    const wide = build(of.isPrimary ? 'key' : 'wide', about.attnum, withColumn(of.tail, about.by))
    // A table has only one primary key. The cutover drops the old one with its index, so that index is built again.
    return of.isPrimary ? [wide, build('own', null, of.tail)] : [wide]
  })
}

export async function indexStatements(about: About): Promise<readonly InPlaceStatement[]> {
  const sound = await soundIndexes(about.session, about.oid)
  return (await wantedIndexes(about)).map(({ name, sql }) => ({ step: 'index', sql, isDone: sound.get(name) === true }))
}

/** Names of the indexes that sluice has built on the table, and whether they are valid. */
export async function soundIndexes(session: CopySession, oid: string): Promise<ReadonlyMap<string, boolean>> {
  const rows = await session.ask(
    `SELECT x.relname, i.indisvalid AND i.indisready FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     WHERE i.indrelid = ${oid}::oid AND NOT ${notOwnSql('x.relname')} ORDER BY 1`,
  )
  return new Map(rows.map(([name, valid]) => [name ?? '', valid === 't']))
}

/** Builds missing indexes. An invalid index of a killed run is dropped. @param session not in a transaction */
export async function buildIndexes(
  session: CopySession,
  { schema, oid }: Pick<About, 'schema' | 'oid'>,
  wanted: readonly IndexToBuild[],
  signal: AbortSignal,
  report: InPlaceReported,
): Promise<void> {
  const there = await soundIndexes(session, oid)
  const names = new Set(wanted.map(({ name }) => name))
  for (const [name, isSound] of there) {
    // Drop other indexes: they are invalid, or no longer needed because the index to replace was dropped meanwhile.
    if (isSound && names.has(name)) continue
    report('index', 'begun', `${name} is dropped: ${isSound ? 'it is no longer needed' : 'its build was interrupted'}`)
    await session.ask(`DROP INDEX CONCURRENTLY IF EXISTS ${tableSql({ schema, name })}`)
  }
  for (const { name, sql, of, note } of wanted) {
    throwIfAborted(signal)
    const what = `unique index for ${of.name}${note === 'own' ? ', without the time column' : ', with the time column'}`
    if (there.get(name) === true) {
      report('index', 'found', what)
      continue
    }
    report('index', 'begun', what)
    await session.ask(sql)
    report('index', 'done', what)
  }
}

/**
 * Statements of the cutover. The table and its indexes already have the names of the first partition.
 * @param names `now`: current name of an index; `free`: an unused name for it
 */
export function exchangeKeys(
  past: string,
  schema: string,
  wanted: readonly IndexToBuild[],
  names: { readonly now: (index: string) => string; readonly free: (index: string) => string },
): readonly string[] {
  const index = (name: string): string => tableSql({ schema, name })
  const noted = (name: string, note: IndexToBuild['note']): string =>
    `COMMENT ON INDEX ${index(name)} IS ${literal(INDEX_NOTES[note])}`
  return wanted.flatMap(({ name, of, note }) => {
    const old = names.now(of.name)
    if (note === 'key') {
      return [
        noted(name, note),
        `ALTER TABLE ${past} DROP CONSTRAINT ${quoteName(old)}, ADD CONSTRAINT ${quoteName(old)} PRIMARY KEY USING INDEX ${quoteName(name)}${of.constraint ?? ''}`,
        ...commentSql(past, old, of.comment),
      ]
    }
    const own = names.free(of.name)
    if (note === 'wide' && of.constraint !== null) {
      return [
        noted(name, note),
        `ALTER TABLE ${past} ADD CONSTRAINT ${quoteName(own)} UNIQUE USING INDEX ${quoteName(name)}${of.constraint}`,
      ]
    }
    return [noted(name, note), `ALTER INDEX ${index(name)} RENAME TO ${quoteName(own)}`]
  })
}

/** Statement that sets the comment of a constraint; none for null. */
export function commentSql(table: string, constraint: string, comment: string | null): readonly string[] {
  return comment === null ? [] : [`COMMENT ON CONSTRAINT ${quoteName(constraint)} ON ${table} IS ${literal(comment)}`]
}

/** SQL: the DEFERRABLE clause of constraint `k`; empty if it is not deferrable. */
export const deferralSql =
  "CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END"

function narrowSql({ oid, attnum }: About): string {
  return `
    SELECT pg_catalog.json_build_object('oid', x.oid::text, 'name', x.relname, 'tail', ${indexTailSql}, 'isPrimary', i.indisprimary,
      'constraint', CASE WHEN k.oid IS NOT NULL THEN ${deferralSql} END, 'comment', pg_catalog.obj_description(k.oid, 'pg_constraint'),
      'space', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = x.reltablespace))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
    WHERE i.indrelid = ${oid}::oid AND i.indisunique AND i.indisvalid AND i.indisready AND NOT i.indisexclusion AND ${notOwnSql('x.relname')}
      AND NOT EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at) WHERE i.indkey[g.at] = ${attnum})
    ORDER BY NOT i.indisprimary, x.relname`
}
