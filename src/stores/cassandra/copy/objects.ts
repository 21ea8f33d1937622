/** Secondary indexes, which are copied only between Cassandra systems. Cassandra has no constraints and no defaults. */
import type { types } from 'cassandra-driver'
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { IndexObject, SchemaObject } from '../../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { asObjectError, objectFailed } from '../../common/object-names.ts'
import type { CassandraLink } from '../connect.ts'
import { askingCassandra, cassandraError } from '../errors.ts'
import { changeSchema } from './ddl.ts'
import { indexesOf, PLAIN, SAI, SASI } from './index-list.ts'
import { cassandraTableName, textLiteral } from './names.ts'
import { isBefore } from './types.ts'

const POLL_MS = 100
const BUILD_TRIES = 5

export class CassandraObjects implements ObjectStore {
  readonly words = 'cassandra'
  readonly #link: CassandraLink

  constructor(link: CassandraLink) {
    this.#link = link
  }

  async list(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly (readonly SchemaObject[])[]> {
    const lists: (readonly SchemaObject[])[] = []
    for (const table of tables) {
      throwIfAborted(signal)
      lists.push(await askingCassandra(this.#link, 'read', () => indexesOf(this.#link, table)))
    }
    return lists
  }

  scope(): 'schema' {
    return 'schema'
  }

  async usedNames(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    throwIfAborted(signal)
    const keyspace = this.#keyspace(table)
    const isOld = isBefore(this.#link.release, 3, 0)
    const cql = isOld
      ? 'SELECT index_name FROM system.schema_columns WHERE keyspace_name = ?'
      : 'SELECT index_name FROM system_schema.indexes WHERE keyspace_name = ?'
    const { rows } = await askingCassandra(this.#link, 'read', () => this.#ask(cql, [keyspace]))
    const there = new Set(rows.map((row) => String(row.get('index_name'))))
    return new Set(names.filter((name) => there.has(name)))
  }

  adapted(object: SchemaObject): SchemaObject | { readonly refused: string } {
    const isOwn = object.kind === 'index' && (object.method === PLAIN || /^[\w.]*Index$/.test(object.method))
    if (!isOwn)
      return { refused: `Cassandra has no ${object.kind} like that of other systems; create it by hand, in CQL` }
    const { release } = this.#link
    if (object.method === SASI && isBefore(release, 3, 4))
      return { refused: `Cassandra ${release} has no SASI indexes` }
    if (object.method === SAI && isBefore(release, 5, 0)) {
      return { refused: `Cassandra ${release} has no storage-attached indexes` }
    }
    if (isBefore(release, 3, 0) && !isPlainName(object.name)) {
      return { refused: `Cassandra ${release} does not accept an index named ${object.name}` }
    }
    return object
  }

  /** Resolves when every node that is up has built its part of the index. */
  async build(object: SchemaObject, table: TableSpec, _inUse: boolean, signal: AbortSignal): Promise<void> {
    if (object.kind !== 'index')
      throw objectFailed(object, `a copy to Cassandra creates only indexes: ${tableText(table.table)}`)
    const keyspace = this.#keyspace(table)
    const place = { schema: keyspace, name: table.table.name }
    try {
      const cql = createIndex(object, place, isBefore(this.#link.release, 3, 0))
      for (let attempt = 1; ; attempt++) {
        await changeSchema(this.#link, cql, signal)
        if (!isKnown(object) || (await this.#isBuilt(object.name, table, signal))) return
        if (attempt === BUILD_TRIES) throw takenAway(object, table)
      }
    } catch (thrown) {
      throwIfAborted(signal)
      const error = cassandraError(thrown, this.#link.settings, 'schema')
      // The server lacks the index class, or cannot index the column: another attempt would not help.
      if (error instanceof SluiceError && !error.retryable && error.kind !== 'stopped')
        throw objectFailed(object, error.reason ?? error.message, { where: tableText(table.table), cause: thrown })
      throw asObjectError(error, object, (one) => one)
    }
  }

  /**
   * Waits until every node that is up has built the index.
   * @returns true if it still exists: on releases before 3.0 a concurrent change of the same table can remove it
   */
  async #isBuilt(name: string, table: TableSpec, signal: AbortSignal): Promise<boolean> {
    const keyspace = this.#keyspace(table)
    // The server lists indexes by keyspace. Releases before 3.0 write the table before the name.
    const names = [name, `${table.table.name}.${name}`]
    const cql = 'SELECT index_name FROM system."IndexInfo" WHERE table_name = ?'
    const hosts = this.#link.client.hosts.values().filter((host) => host.isUp())
    for (const host of hosts) {
      for (;;) {
        throwIfAborted(signal)
        const { rows } = await this.#ask(cql, [keyspace], host)
        if (rows.some((row) => names.includes(String(row.get('index_name')))) || !host.isUp()) break
        if (!(await this.usedNames(table, [name], signal)).has(name)) return false
        await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
      }
    }
    return true
  }

  async #ask(cql: string, parameters: readonly string[], host?: unknown): Promise<types.ResultSet> {
    const options = { prepare: true, consistency: 1, isIdempotent: true, ...(host === undefined ? {} : { host }) }
    return await this.#link.client.execute(cql, [...parameters], options as object)
  }

  #keyspace({ table }: TableSpec): string {
    return table.schema ?? this.#link.settings.keyspace ?? ''
  }
}

function takenAway(object: IndexObject, { table }: TableSpec): SluiceError {
  return objectFailed(
    object,
    `the index ${object.name} was created ${BUILD_TRIES} times, and was dropped again each time`,
    {
      where: tableText(table),
      reason: 'another program changes this table at the same time',
    },
  )
}

/** True for a name that needs no quotes: releases before 3.0 accept no quoted index names. */
function isPlainName(name: string): boolean {
  return /^[a-z]\w*$/.test(name) && name === name.toLowerCase()
}

/** True for methods whose completed builds the server records. */
function isKnown({ method }: IndexObject): boolean {
  return method === PLAIN || method === SASI || method === SAI
}

function createIndex(
  { name, parts, method, own }: IndexObject,
  table: { schema: string; name: string },
  isOld: boolean,
): string {
  const [part] = parts
  const column = quotedName(part?.column ?? '')
  const target = part?.special === undefined ? column : `${part.special}(${column})`
  const custom = method === PLAIN ? '' : 'CUSTOM '
  const using = method === PLAIN ? '' : ` USING ${textLiteral(method)}`
  return `CREATE ${custom}INDEX IF NOT EXISTS ${isOld ? name : quotedName(name)} ON ${cassandraTableName(table)} (${target})${using}${own}`
}
