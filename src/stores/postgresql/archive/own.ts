/** Properties that only a partition has: indexes, triggers, grants, comments, storage. They are saved and restored. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from '../server/connect.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import type { KnownTable } from '../server/locks.ts'
import { suffixed } from './move.ts'
import { missingSchemas, qualifiedNames, withChangedNames } from './noted-schemas.ts'
import { divisionOf, type Division } from '../server/tree.ts'
import { indexNamesSql, ownStatementsSql } from './own-sql.ts'
import { countText } from '../../../shared/figures.ts'

/**
 * `computed`: generation expressions, before rows are loaded. `empty`: before rows are loaded. `filled`: before the
 * attachment. `attached`: after it. `cloned`: for triggers that every attachment creates.
 */
export type DetachedRuleStage = 'computed' | 'empty' | 'filled' | 'attached' | 'cloned'

/** Description of the statement for an UNLOGGED table in `own-sql`. */
const UNLOGGED = 'UNLOGGED'
/** Matches statements whose first qualified name is the name of a statistics object. */
const STATISTICS = /^(?:CREATE|ALTER|COMMENT ON) STATISTICS /

type OwnStatement = { readonly stage: DetachedRuleStage; readonly what: string; readonly sql: string }
type OwnIndex = {
  readonly name: string
  /** The parent's index to which this one is attached; null for an index of the partition alone. */
  readonly of: string | null
}
type Own = {
  readonly statements: readonly OwnStatement[]
  readonly indexes: readonly OwnIndex[]
  /** How the partition itself was partitioned; absent if it was not. */
  readonly division?: Division
}

/** A property that could not be restored, and the server's reason. */
export type NotRestored = { readonly what: string; readonly why: string }

/**
 * Reads the table's own properties. No session may change them meanwhile.
 * @param parent its properties are left out; null if it no longer exists
 * @returns JSON for the ledger, which `PropertyRestorer` reads
 */
export async function readOwn(session: CopySession, table: KnownTable, parent: KnownTable | null): Promise<string> {
  return withFullNames(session, async () => {
    const statements = await session.ask(ownStatementsSql(table.oid, parent?.oid ?? '0'))
    const indexes = await session.ask(indexNamesSql(table.oid))
    const division = await divisionOf(session, table)
    const own: Own = {
      statements: statements.map(([stage, what, sql]) => ({
        stage: stage as DetachedRuleStage,
        what: what ?? '',
        sql: sql ?? '',
      })),
      indexes: indexes.map(([name, of]) => ({ name: name ?? '', of: of ?? null })),
      ...(division === null ? {} : { division }),
    }
    return JSON.stringify(own)
  })
}

/**
 * Restores the properties on a new table, in the transaction that creates it. Properties that the server refuses are
 * added to `missing`.
 */
export class PropertyRestorer {
  readonly missing: NotRestored[] = []
  readonly #session: CopySession
  readonly #own: Own
  /** Names of the partition's indexes and statistics. */
  readonly #names: ReadonlySet<string>
  /** Schemas that the statements name and the database lacks; null until they are needed. */
  #missingSchemas: ReadonlySet<string> | null = null

  /** @throws SluiceError LEDGER_DAMAGED */
  constructor(session: CopySession, own: string) {
    this.#session = session
    this.#own = parsed(own)
    const statistics = this.#own.statements.flatMap(({ sql }) =>
      STATISTICS.test(sql) ? qualifiedNames(sql).slice(0, 1) : [],
    )
    this.#names = new Set([...this.#own.indexes, ...statistics].map(({ name }) => name))
  }

  /** The partition's own partitioning; null if it was not partitioned. */
  get division(): Division | null {
    return this.#own.division ?? null
  }

  /** True if the partition had a constraint of this name that its parent did not have. */
  hasConstraint(name: string): boolean {
    return this.#own.statements.some(({ what }) => what === `the constraint ${name}`)
  }

  /** The partitioning that a new table lacks, to report. */
  get lostPartitioning(): readonly NotRestored[] {
    if (this.division === null) return []
    const { by, tables } = this.division
    const what = `its partitioning by ${by} into ${countText(tables.length, 'table')}`
    return [{ what, why: 'these tables were dropped with it, and all of its rows are in one table' }]
  }

  /**
   * Runs the statements of a stage.
   * @throws errors of the server that concern the server or its locks, not the statement
   * @throws SluiceError TABLE_REFUSED if the server refuses a `computed` statement, without which the rows would differ
   */
  async restore(stage: DetachedRuleStage, table: KnownTable): Promise<void> {
    await withFullNames(this.#session, async () => {
      if (stage === 'filled') await this.#freeNames(table)
      if (stage === 'attached') {
        await revokeDefaults(this.#session, table)
        await this.#nameIndexes(table)
      }
      for (const statement of this.#own.statements) {
        if (statement.stage !== stage) continue
        const sql = await this.#placed(statement.sql, table)
        // Keep the table logged. The archive deletes its files: these rows are the only copy, and a crash would empty
        // an UNLOGGED table.
        if (statement.what === UNLOGGED)
          this.missing.push({ what: UNLOGGED, why: `its rows are the only copy; run ${sql} to make it UNLOGGED again` })
        else if (!(await this.#restore({ ...statement, sql })) && stage === 'computed') throw this.#notComputed(table)
      }
    })
  }

  /**
   * Replaces a missing recorded schema by the table's current one, in names of the table, its indexes and statistics.
   */
  async #placed(sql: string, { name: { schema = 'public', name } }: KnownTable): Promise<string> {
    this.#missingSchemas ??= await missingSchemas(
      this.#session,
      this.#own.statements.flatMap((one) => qualifiedNames(one.sql).map((named) => named.schema)),
    )
    const gone = this.#missingSchemas
    return withChangedNames(sql, (named) =>
      gone.has(named.schema) && (named.name === name || this.#names.has(named.name))
        ? tableSql({ schema, name: named.name })
        : null,
    )
  }

  #notComputed({ name }: KnownTable): SluiceError {
    const { what, why } = this.missing.at(-1) ?? { what: '', why: '' }
    return new SluiceError('TABLE_REFUSED', `${what} of ${tableText(name)} could not be recreated: ${why}`, {
      where: tableText(name),
      reason:
        'the partition has its own expression for this generated column: without it the restored rows would differ from the archived ones; nothing was changed',
      hint: 'recreate the objects that the expression uses, then run the same command again',
    })
  }

  /** Renames indexes of the new table whose generated names the partition's own indexes need. */
  async #freeNames({ oid, name }: KnownTable): Promise<void> {
    const wanted = new Set(this.#own.indexes.flatMap((one) => (one.of === null ? [one.name] : [])))
    for (const index of await this.#indexes(oid)) {
      if (wanted.has(index.name)) await this.#rename(name.schema, index.name, suffixed(index.name, index.oid))
    }
  }

  /** Gives attached indexes their old names. All are renamed twice, since two may have to swap names. */
  async #nameIndexes({ oid, name: { schema } }: KnownTable): Promise<void> {
    const before = new Map(this.#own.indexes.flatMap((one) => (one.of === null ? [] : [[one.of, one.name]])))
    const others = (await this.#indexes(oid)).flatMap(({ of, ...index }) => {
      const to = of === null ? undefined : before.get(of)
      return to === undefined || to === index.name ? [] : [{ ...index, to }]
    })
    for (const { oid: own, name } of others) await this.#rename(schema, name, suffixed(name, own))
    for (const { oid: own, name, to } of others) {
      const sql = renaming(schema, suffixed(name, own), to)
      if (!(await this.#restore({ what: `the name of the index ${to}`, sql }))) {
        await this.#rename(schema, suffixed(name, own), name)
      }
    }
  }

  async #indexes(table: string): Promise<readonly { oid: string; name: string; of: string | null }[]> {
    const rows = await this.#session.ask(
      `SELECT c.oid, c.relname, p.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
       WHERE i.indrelid = ${literal(table)}::oid`,
    )
    return rows.map(([oid, name, of]) => ({ oid: oid ?? '', name: name ?? '', of: of ?? null }))
  }

  async #rename(schema: string | undefined, name: string, to: string): Promise<void> {
    await this.#session.ask(renaming(schema, name, to))
  }

  async #restore({ what, sql }: Pick<OwnStatement, 'what' | 'sql'>): Promise<boolean> {
    const given = await this.#session.attempt(() => this.#session.askOne(sql), isRefusal)
    if ('result' in given) return true
    const { message } = given.refused
    const named = qualifiedNames(sql).find(
      ({ schema }) => this.#missingSchemas?.has(schema) === true && message.includes(schema),
    )
    const cause =
      named === undefined
        ? ''
        : `: the schema ${named.schema} was dropped or renamed: with its present name, run ${sql}`
    this.missing.push({ what, why: `${message}${cause}` })
    return false
  }
}

function renaming(schema: string | undefined, name: string, to: string): string {
  return `ALTER INDEX ${tableSql(schema === undefined ? { name } : { schema, name })} RENAME TO ${quoteName(to)}`
}

/** Revokes the grants of a new table: default privileges may have added some that the original table lacks. */
export async function revokeDefaults(session: CopySession, { oid, name }: KnownTable): Promise<void> {
  const rows = await session.ask(
    `SELECT DISTINCT CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END
     FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e WHERE c.oid = ${literal(oid)}::oid AND e.grantee <> c.relowner`,
  )
  for (const [role] of rows) await session.ask(`REVOKE ALL ON TABLE ${tableSql(name)} FROM ${role ?? ''}`)
}

/**
 * True if the server refuses a statement: a role, function or tablespace is missing, or rows do not fit. False for a
 * lock, a full disk or a shutdown.
 */
export function isRefusal(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== null && state !== '55P03' && /^(?:0A|0L|0P|22|23|2B|2F|38|39|3F|42|55|P0)/.test(state)
}

/**
 * Runs `body` in a transaction with an empty search path: the server qualifies all names and uses its own operators.
 */
export async function withFullNames<T>(session: CopySession, body: () => Promise<T>): Promise<T> {
  const [row] = await session.ask(`SELECT pg_catalog.current_setting('search_path')`)
  await session.ask(`SELECT pg_catalog.set_config('search_path', '', true)`)
  const result = await body()
  await session.ask(`SELECT pg_catalog.set_config('search_path', ${literal(row?.[0] ?? '')}, true)`)
  return result
}

function parsed(text: string): Own {
  try {
    const { statements, indexes, division } = JSON.parse(text) as Partial<Own>
    if (Array.isArray(statements) && Array.isArray(indexes)) {
      return { statements, indexes, ...(Array.isArray(division?.tables) ? { division } : {}) }
    }
  } catch (error) {
    throw damaged(error)
  }
  throw damaged()
}

function damaged(cause?: unknown): SluiceError {
  return new SluiceError(
    'LEDGER_DAMAGED',
    'column own_ddl of the archive ledger has a value that sluice did not write',
    {
      cause,
      hint: 'take the value from a backup of the source; or set it to NULL: the partition is then restored without its own indexes, triggers and grants',
    },
  )
}
