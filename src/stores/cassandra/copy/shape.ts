/** The structure of a table, as far as writing needs it. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CassandraLink } from '../connect.ts'
import { cqlTypeOf, freezesTypes, type CqlType, type DriverType } from './types.ts'

export type CassandraShapeColumn = {
  readonly name: string
  readonly type: CqlType
  readonly part: 'partition' | 'clustering' | 'static' | 'regular'
  /** True for a collection whose elements are separate cells: it has no single write time. */
  readonly manyCells: boolean
  readonly isList: boolean
}

export type CassandraShape = {
  readonly table: TableName
  /** Columns by name. */
  readonly columns: ReadonlyMap<string, CassandraShapeColumn>
  readonly partition: readonly string[]
  readonly clustering: readonly string[]
  /** True for a table of counters, which writes can only add to. */
  readonly counters: boolean
}

/** Type numbers of the driver. */
const COUNTER = 5
const LIST = 0x20
const USER_TYPE = 0x30
/** list, map, set and user-defined types: many cells unless they are frozen. */
const MANY: ReadonlySet<number> = new Set([LIST, 0x21, 0x22, USER_TYPE])

/** Reads the current definition. @throws SluiceError TABLE_REFUSED if it does not exist; errors of the driver */
export async function cassandraTableShape(link: CassandraLink, table: TableName): Promise<CassandraShape> {
  const keyspace = table.schema ?? link.settings.keyspace ?? ''
  const found = await link.client.metadata.getTable(keyspace, table.name)
  // The driver may return null, although its type definitions exclude it.
  if ((found as unknown) == null) {
    throw new SluiceError('TABLE_REFUSED', `the cluster has no table ${tableText(table)}`, {
      where: tableText(table),
      hint: 'run the same command again: the table may have been dropped since',
    })
  }
  const partition = found.partitionKeys.map(({ name }) => name)
  const clustering = found.clusteringKeys.map(({ name }) => name)
  const isOld = freezesTypes(link.release)
  const columns = new Map(
    found.columns.map((column): [string, CassandraShapeColumn] => {
      const { name, type } = column
      const { isStatic } = column as { readonly isStatic?: boolean }
      const part = partition.includes(name)
        ? 'partition'
        : clustering.includes(name)
          ? 'clustering'
          : isStatic === true
            ? 'static'
            : 'regular'
      return [
        name,
        {
          name,
          type: cqlTypeOf(type, isOld),
          part,
          manyCells: isManyCells(type, isOld),
          isList: codeOf(type) === LIST,
        },
      ]
    }),
  )
  const counters = found.columns.some(({ type }) => codeOf(type) === COUNTER)
  return { table: { schema: keyspace, name: table.name }, columns, partition, clustering, counters }
}

/** Code of a type: the driver's type definitions declare another enumeration for it. */
function codeOf({ code }: DriverType): number {
  return code
}

function isManyCells(type: DriverType, isOld: boolean): boolean {
  if (!MANY.has(type.code) || (isOld && type.code === USER_TYPE)) return false
  return type.options?.frozen !== true
}
