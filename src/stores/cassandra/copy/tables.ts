/** Tables of a Cassandra cluster as copies see them. */
import { types, type metadata } from 'cassandra-driver'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { namePattern } from '../../../shared/name-pattern.ts'
import type { CassandraLink } from '../connect.ts'
import { forcedTtl, settingsOf } from './table-settings.ts'
import { listCassandraTables, type ListedTable } from './schema-tables.ts'
import { estimatedRows } from './size.ts'
import { columnTypeOf, cqlText, cqlTypeOf, freezesTypes, isBefore, isManyCells, type CqlType } from './types.ts'
import { userTypesOf } from './user-types.ts'

/** The driver's type number for counters. */
const COUNTER: number = types.dataTypes.counter

/**
 * @param pattern `keyspace.table`, or `table` in the keyspace of the URL, with `*` for any characters; case matters, as
 * in quoted names
 * @returns sorted by name
 * @throws errors of the driver
 */
export async function cassandraTables(
  link: CassandraLink,
  pattern: string,
  signal: AbortSignal,
): Promise<readonly TableSpec[]> {
  const chosen = (await listed(link, pattern)).toSorted(
    (a, b) => compare(a.keyspace, b.keyspace) || compare(a.name, b.name),
  )
  const specs: TableSpec[] = []
  for (const one of chosen) {
    throwIfAborted(signal)
    const spec = await specOf(link, one)
    if (spec === null) continue
    const settings = await settingsOf(link, spec.table)
    const forced = forcedTtl(settings ?? {}, link.release)
    specs.push({
      ...spec,
      ...(await estimatedRows(link, spec, signal)),
      ...(settings === null ? {} : { settings }),
      ...(forced === 0 || spec.times === undefined ? {} : { times: { ...spec.times, forced } }),
    })
  }
  return specs
}

async function listed(link: CassandraLink, pattern: string): Promise<readonly ListedTable[]> {
  const own = link.settings.keyspace
  // Names contain no points, so the first one ends the keyspace.
  const [first = '', ...rest] = pattern.split('.')
  const [keyspace, name] = rest.length === 0 ? [own, first] : [first, rest.join('.')]
  const [fitsKeyspace, fitsName] = [matcher(keyspace ?? '*'), matcher(name)]
  const exact = keyspace !== null && !keyspace.includes('*') ? keyspace : null
  const found = await listCassandraTables(link, exact)
  return found.filter(
    (one) =>
      fitsKeyspace(one.keyspace) &&
      fitsName(one.name) &&
      // A pattern with `*` does not match materialized views.
      (one.viewOf === null || !name.includes('*')),
  )
}

/** @returns null if the table was dropped meanwhile */
async function specOf(
  link: CassandraLink,
  { keyspace, name, id, viewOf }: ListedTable,
): Promise<Omit<TableSpec, 'rows' | 'bytes'> | null> {
  const read = (): Promise<metadata.TableMetadata | metadata.MaterializedView | null> =>
    viewOf === null ? link.client.metadata.getTable(keyspace, name) : viewAt(link, keyspace, name)
  const found = (await read()) ?? (await withFreshMetadata(link, keyspace, read))
  if (found === null) return null
  const partition = found.partitionKeys.map((column) => column.name)
  const clustering = found.clusteringKeys.map((column) => column.name)
  const key = [...partition, ...clustering]
  const isOld = freezesTypes(link.release)
  const all: CqlType[] = []
  const columns = found.columns.map((column): Column => {
    const type = cqlTypeOf(column.type, isOld)
    all.push(type)
    const { isStatic } = column as { readonly isStatic?: boolean }
    return {
      name: column.name,
      type: columnTypeOf(type),
      native: cqlText(type),
      nullable: !key.includes(column.name),
      ...(isStatic === true ? { static: true } : {}),
    }
  })
  const declared = userTypesOf(all)
  const descending = clustering.filter((_, at) => found.clusteringOrder[at] === 'DESC')
  return {
    table: { schema: keyspace, name },
    identity: id,
    ...(viewOf === null ? {} : { viewOf: `${keyspace}.${viewOf}` }),
    columns: columns.toSorted((a, b) => place(a, key) - place(b, key)),
    key,
    primary: true,
    ...(declared.length === 0 ? {} : { types: declared }),
    partitioning: wordsFor(partition, clustering, descending, found.columns, viewOf),
    times: timesOf(link, columns, all, key),
    ring: {
      partitioner: link.partitioner,
      columns: partition.length,
      ...(descending.length === 0 ? {} : { descending }),
    },
  }
}

/** Lists collections of separate cells. Their write times cannot be read before 5.0; since then each cell has one. */
function timesOf(
  { release }: CassandraLink,
  columns: readonly Column[],
  cql: readonly CqlType[],
  key: readonly string[],
): NonNullable<TableSpec['times']> {
  const many = columns.flatMap(({ name }, at) => {
    const type = cql[at]
    return type !== undefined && !key.includes(name) && isManyCells(type) ? [name] : []
  })
  if (isBefore(release, 5, 0)) return { hidden: many }
  return { hidden: [], ...(many.length === 0 ? {} : { ofElements: many }) }
}

/**
 * Refreshes the driver's metadata, then runs `read`: the driver gets new keyspaces with a delay, and may lack one that
 * the server lists.
 */
async function withFreshMetadata<T>(
  link: CassandraLink,
  keyspace: string,
  read: () => Promise<T | null>,
): Promise<T | null> {
  await link.client.metadata.refreshKeyspace(keyspace)
  return (await read()) ?? null
}

/** The driver's types declare this call only with a callback: wrap it in a promise. */
function viewAt({ client }: CassandraLink, keyspace: string, name: string): Promise<metadata.MaterializedView | null> {
  return new Promise((resolve, reject) => {
    client.metadata.getMaterializedView(keyspace, name, (error: Error | null, view) =>
      error === null ? resolve(view) : reject(error),
    )
  })
}

/**
 * Sort position of a column: key columns in their order, then static ones, then the others as the cluster lists them.
 */
function place({ name, static: shared }: Column, key: readonly string[]): number {
  const at = key.indexOf(name)
  return at === -1 ? key.length + (shared === true ? 0 : 1) : at
}

function wordsFor(
  partition: readonly string[],
  clustering: readonly string[],
  descending: readonly string[],
  columns: readonly { readonly type: { readonly code: number } }[],
  viewOf: string | null,
): string {
  const order = clustering.map((name) => (descending.includes(name) ? `${name} desc` : name))
  return [
    `tokens of (${partition.join(', ')})`,
    ...(order.length === 0 ? [] : [`rows by ${order.join(', ')}`]),
    ...(columns.some(({ type }) => type.code === COUNTER) ? ['counters'] : []),
    ...(viewOf === null ? [] : [`view of ${viewOf}`]),
  ].join(', ')
}

function matcher(pattern: string): (name: string) => boolean {
  const bare = /^"(.*)"$/s.exec(pattern)?.[1]?.replaceAll('""', '"') ?? pattern
  return namePattern(bare, 'exact')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
