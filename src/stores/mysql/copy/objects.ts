/** Indexes, constraints and defaults in MySQL and MariaDB; each is created by one atomic statement. */
import { createHash } from 'node:crypto'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ForeignKey, IndexObject, IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { takeObjectLock, type ObjectLock } from '../../common/object-lock.ts'
import { asObjectError, objectFailed } from '../../common/object-names.ts'
import { Pool } from '../../common/pool.ts'
import type { MysqlConfig } from '../config.ts'
import { mysqlErrorNumber } from '../errors.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlTargetError, mysqlSourceError } from './errors.ts'
import { mysqlDefinitions } from './definitions.ts'
import { quoted, mysqlTableSql } from './names.ts'
import { listMysqlObjects } from './object-list.ts'
import { interruptibleMysql, openCopySession } from './sessions.ts'
import { baseTypeName, isBytes, isText } from './types.ts'
import { countText } from '../../../shared/figures.ts'

const NAME_CHARACTERS = 64
/** Characters of a prefix, if an index cannot hold a whole text. */
const PREFIX = 191
/** Bytes of all columns of an index together. */
const INDEX_BYTES = 3072
/** Error number: a row violates the new foreign key. */
const NO_PARENT = 1452

export class MysqlObjects implements ObjectStore, AsyncDisposable {
  readonly words: string
  readonly #config: MysqlConfig
  readonly #readers: Pool<MysqlSession>

  /** @param flavour `mysql` or `mariadb`: they print expressions differently */
  constructor(config: MysqlConfig, flavour: string) {
    this.#config = config
    this.words = flavour
    this.#readers = new Pool(() => this.#open('read'), { most: Infinity, idle: 1 }, config.label)
  }

  async list(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly (readonly SchemaObject[])[]> {
    const names = tables.map(({ table }) => table)
    try {
      return await this.#read(signal, (session) => listMysqlObjects(session, names))
    } catch (error) {
      throw mysqlSourceError(error, this.#config.label)
    }
  }

  scope({ kind }: SchemaObject): 'table' | 'schema' {
    return kind === 'index' || kind === 'unique' ? 'table' : 'schema'
  }

  async usedNames({ table }: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (names.length === 0) return new Set()
    const rows = await this.#read(signal, (session) =>
      session.rows(
        `SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE())
         AND CONSTRAINT_TYPE IN ('FOREIGN KEY', 'CHECK') AND TABLE_NAME <> ? AND CONSTRAINT_NAME IN (${names.map(() => '?').join(', ')})`,
        [table.schema ?? null, table.name, ...names],
      ),
    )
    return new Set(rows.map(([name]) => String(name)))
  }

  adapted(object: SchemaObject, table: TableSpec): SchemaObject | { readonly refused: string } {
    const name = Array.from(object.name).slice(0, NAME_CHARACTERS).join('')
    switch (object.kind) {
      case 'index':
      case 'unique':
        return object.own === '' ? fittedIndex({ ...object, name }, table) : { ...object, name }
      case 'foreign key': {
        const actions = [object.onDelete, object.onUpdate]
        const odd = actions.find((one) => !/^(?:NO ACTION|RESTRICT|CASCADE|SET NULL)$/.test(one))
        if (odd !== undefined) return { refused: `MySQL does not support ${odd} of a foreign key` }
        const [onDelete = '', onUpdate = ''] = actions.map((one) => (one === 'RESTRICT' ? 'NO ACTION' : one))
        return { ...object, name, own: '', onDelete, onUpdate }
      }
      case 'exclusion':
        return { refused: 'MySQL has no exclusion constraints' }
      case 'check':
        return { ...object, name }
      case 'default':
        return object
    }
  }

  async build(object: SchemaObject, table: TableSpec, _inUse: boolean, signal: AbortSignal): Promise<void> {
    const name = quoted(object.name)
    const alter = `ALTER TABLE ${mysqlTableSql(table.table)}`
    try {
      await this.#write(signal, async (session) => {
        await takeObjectLock(objectLock(session, lockOf(table)), object, table, signal)
        const [there = []] = await listMysqlObjects(session, [table.table])
        if (there.some((one) => isSamePlace(one, object))) return
        switch (object.kind) {
          case 'index':
          case 'unique':
            return void (await session.command(`${alter} ADD ${kindOf(object)}KEY ${name} ${indexSql(object)}`))
          case 'foreign key':
            return this.#foreignKey(session, object, table, signal)
          case 'check':
          case 'exclusion':
            return void (await session.command(`${alter} ADD CONSTRAINT ${name} ${object.own}`))
          case 'default': {
            const [, first = '', update] = /^(.*?) ?(ON UPDATE CURRENT_TIMESTAMP(?:\(\d+\))?)$/s.exec(object.own) ?? []
            if (update !== undefined) {
              const { columns } = await mysqlDefinitions(session, table.table)
              const { before = '', after = '' } = columns.get(object.name) ?? {}
              const value = first === '' ? '' : ` DEFAULT ${first}`
              return void (await session.command(`${alter} MODIFY ${name}${before}${value} ${update}${after}`))
            }
            const value = object.own.startsWith('CURRENT_TIMESTAMP') ? `(${object.own})` : object.own
            return void (await session.command(`${alter} ALTER COLUMN ${name} SET DEFAULT ${value}`))
          }
        }
      })
    } catch (error) {
      const where = `${this.#config.label}: ${tableText(table.table)}`
      throw asObjectError(error, object, (thrown) => mysqlTargetError(thrown, where))
    }
  }

  async #foreignKey(session: MysqlSession, key: ForeignKey, { table }: TableSpec, signal: AbortSignal): Promise<void> {
    const { from, to, onDelete, onUpdate } = key
    const list = (names: readonly string[]): string => names.map(quoted).join(', ')
    const sql =
      `ALTER TABLE ${mysqlTableSql(table)} ADD CONSTRAINT ${quoted(key.name)} FOREIGN KEY (${list(from)}) ` +
      `REFERENCES ${mysqlTableSql(to.table)} (${list(to.columns)}) ON UPDATE ${onUpdate} ON DELETE ${onDelete}`
    try {
      await session.command(sql)
    } catch (error) {
      if (mysqlErrorNumber(error) !== NO_PARENT) throw error
      const equal = from.map((column, i) => `p.${quoted(to.columns[i] ?? '')} = c.${quoted(column)}`).join(' AND ')
      const given = from.map((column) => `c.${quoted(column)} IS NOT NULL`).join(' AND ')
      const [row] = await this.#read(signal, (reader) =>
        reader.rows(
          `SELECT CAST(COUNT(*) AS CHAR) FROM ${mysqlTableSql(table)} c WHERE ${given}
           AND NOT EXISTS (SELECT 1 FROM ${mysqlTableSql(to.table)} p WHERE ${equal})`,
        ),
      )
      const rows = String(row?.[0] ?? 0)
      const what = `${countText(rows, 'row')} of ${tableText(table)} refer to missing rows of ${tableText(to.table)}`
      throw objectFailed(key, what, { reason: (error as Error).message, cause: error })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readers.close()
  }

  #read<T>(signal: AbortSignal, body: (session: MysqlSession) => Promise<T>): Promise<T> {
    return this.#readers.use((session) =>
      interruptibleMysql(this.#config, session, signal, async () => {
        const result = await body(session)
        // End the transaction: an ALTER TABLE waits for transactions that have read the table.
        await session.command('COMMIT')
        return result
      }),
    )
  }

  /** Runs the body on its own connection, so that no lock remains. */
  async #write(signal: AbortSignal, body: (session: MysqlSession) => Promise<void>): Promise<void> {
    await using session = await this.#open('write')
    await interruptibleMysql(this.#config, session, signal, () => body(session))
  }

  async #open(purpose: 'read' | 'write'): Promise<MysqlSession> {
    const session = await openCopySession(this.#config, purpose)
    try {
      await acceptDefinitions(session)
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }
}

function objectLock(session: MysqlSession, name: string): ObjectLock {
  // Without PROCESS a login sees only its own sessions.
  const idle = `SELECT ID, USER FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK(?) AND COMMAND = 'Sleep'`
  return {
    take: async () => Number((await session.rows('SELECT GET_LOCK(?, 0)', [name]))[0]?.[0]) === 1,
    idleHolder: async () => {
      const [holder] = await session.rows(idle, [name])
      if (holder === undefined) return null
      const [id, user] = holder.map(String)
      return { session: `session ${id} of ${user}`, end: `KILL ${id}` }
    },
  }
}

/** Name of a lock on the whole table: a second ALTER at the same time would run into its lock timeout. */
function lockOf({ table }: TableSpec): string {
  const words = JSON.stringify([table.schema, table.name])
  return `sluice ${createHash('sha256').update(words).digest('hex').slice(0, 40)}`
}

/** True if an object of the same kind has the name. False for a default: it is set again, which takes no time. */
function isSamePlace(one: SchemaObject, other: SchemaObject): boolean {
  const place = ({ kind }: SchemaObject): string => (kind === 'index' || kind === 'unique' ? 'index' : kind)
  return other.kind !== 'default' && place(one) === place(other) && one.name.toLowerCase() === other.name.toLowerCase()
}

/**
 * The sql_mode for definitions as the server prints them: in any mode with backslash escapes. Zero dates may be
 * defaults, and an ALTER TABLE is refused if a column has one that the mode forbids.
 */
async function acceptDefinitions(session: MysqlSession): Promise<void> {
  const [row] = await session.rows('SELECT @@sql_mode')
  const modes = String(row?.[0] ?? '').split(',')
  const kept = modes.filter((mode) => !/^NO_(?:BACKSLASH_ESCAPES|ZERO_DATE|ZERO_IN_DATE)$/.test(mode))
  await session.command(`SET SESSION sql_mode = '${kept.join(',')}'`)
}

/** The index with a prefix for texts that are too long to index. A unique index with such a text is refused. */
function fittedIndex(object: IndexObject, table: TableSpec): SchemaObject | { readonly refused: string } {
  const room = Math.floor(INDEX_BYTES / 4 / Math.max(1, object.parts.length))
  const parts: IndexPart[] = []
  for (const { column, descending } of object.parts) {
    const native = table.columns.find(({ name }) => name === column)?.native ?? ''
    const base = baseTypeName(native)
    if (base === 'json') return { refused: `${column ?? ''} is json in the target, which cannot be indexed` }
    const isOpen = /(?:text|blob)$/.test(base)
    const length = Number(/\((\d+)/.exec(native)?.[1] ?? 0)
    const isLong = isOpen || ((isText(base) || isBytes(base)) && length > room)
    if (isLong && object.unique) {
      return { refused: `${column ?? ''} is ${native} in the target, which can be indexed only by its beginning` }
    }
    parts.push({
      column,
      ...(descending === true ? { descending } : {}),
      ...(isLong ? { prefix: Math.min(PREFIX, room) } : {}),
    })
  }
  return { ...object, kind: 'index', method: 'btree', parts, include: [] }
}

function kindOf({ unique, method }: IndexObject): string {
  if (unique) return 'UNIQUE '
  return method === 'fulltext' || method === 'spatial' || method === 'vector' ? `${method.toUpperCase()} ` : ''
}

function indexSql({ own, parts }: IndexObject): string {
  if (own !== '') return own
  const list = parts.map(({ column, descending, prefix }) => {
    return `${quoted(column ?? '')}${prefix === undefined ? '' : `(${prefix})`}${descending ? ' DESC' : ''}`
  })
  return `(${list.join(', ')})`
}
