/** The columns of an archive as Delta's schema, and what readers and writers have to know for it. */
import type { StoredColumn, StoredTable } from '../../model/archiving/stored-column.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { schemaOf, typeText, type Field } from '../../delta/schema.ts'
import { SluiceError } from '../../shared/errors.ts'

/** One field as `schemaString` has it. */
type SchemaField = {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, string | number>>
}

export type TableShape = {
  readonly protocol: ProtocolAction
  readonly schemaString: string
  /** Properties that the shape needs. */
  readonly configuration: Readonly<Record<string, string>>
}

/** Key of the metadata of a field: the type that the source declares. */
const SOURCE_TYPE = 'sluice.type'

/**
 * The shape of a table that is made for these columns.
 * @throws SluiceError TABLE_REFUSED where two columns have one name
 */
export function newShape(stored: StoredTable): TableShape {
  refuseSameNames(stored)
  const fields = stored.columns.map((column, i) => fieldOf(column, stored.mapped ? i + 1 : null))
  fields.push(partitionField(stored, stored.mapped ? fields.length + 1 : null))
  return shapeOf(inOrder(fields, stored), stored.mapped ? fields.length : null)
}

/**
 * What a table has to become so that it takes these columns too: columns that came to the source are added, and whatever some file may lack
 * may be NULL.
 * @returns null where the table is fit as it is
 * @throws SluiceError ARCHIVE_CONFLICT where columns of one name have two types, or other names in the files
 */
export function grownShape(
  stored: StoredTable,
  { protocol, metadata }: { readonly protocol: ProtocolAction; readonly metadata: MetadataAction },
  where: string,
): TableShape | null {
  refuseSameNames(stored)
  const conflict = (what: string): SluiceError =>
    new SluiceError('ARCHIVE_CONFLICT', `the archive has another schema: ${what}`, {
      where,
      hint: 'archive the table into another folder from now on, or restore what the archive holds and begin anew',
    })
  const mode = metadata.configuration?.['delta.columnMapping.mode']?.toLowerCase() ?? 'none'
  if (mode !== (stored.mapped ? 'name' : 'none')) {
    throw conflict(`its column mapping is '${mode}'${stored.mapped ? ', and names of columns need one by name' : ''}`)
  }
  if (metadata.partitionColumns?.length !== 1 || metadata.partitionColumns[0] !== stored.partitionColumn) {
    throw conflict(`it is not partitioned by ${stored.partitionColumn}`)
  }
  const own = schemaOf(protocol, metadata).fields
  const wanted = new Map(stored.columns.map((column) => [column.name, column]))
  let grew = false
  const fields: SchemaField[] = own.map((field) => {
    if (field.name === stored.partitionColumn) return asWritten(field)
    const column = wanted.get(field.name)
    wanted.delete(field.name)
    const type = typeText(field.type)
    if (column !== undefined && type !== column.stored)
      throw conflict(`${field.name} is ${type}, and would be ${column.stored}`)
    if (column !== undefined && field.physicalName !== column.physical) {
      throw conflict(`${field.name} is called ${field.physicalName} in its files, and would be ${column.physical}`)
    }
    const nullable = field.nullable || column === undefined || column.column.nullable
    if (nullable !== field.nullable) grew = true
    return { ...asWritten(field), nullable }
  })
  if (!fields.some(({ name }) => name === stored.partitionColumn)) throw conflict(`it has no ${stored.partitionColumn}`)
  let last = Number(metadata.configuration?.['delta.columnMapping.maxColumnId'] ?? fields.length)
  for (const column of stored.columns) {
    if (!wanted.has(column.name)) continue
    grew = true
    const added = fieldOf(column, stored.mapped ? ++last : null)
    fields.push({ ...added, nullable: true })
  }
  if (!grew) return null
  const shape = shapeOf(inOrder(fields, stored), stored.mapped ? last : null)
  return { ...shape, protocol: bothProtocols(protocol, shape.protocol) }
}

/** What a table has become once stays in force: nobody knows who reads it. */
function bothProtocols(own: ProtocolAction, needed: ProtocolAction): ProtocolAction {
  if (needed.minWriterVersion < 7 && own.minWriterVersion < 7) {
    return own.minWriterVersion >= needed.minWriterVersion ? own : needed
  }
  const union = (key: 'readerFeatures' | 'writerFeatures'): readonly string[] => [
    ...new Set([...(own[key] ?? []), ...(needed[key] ?? [])]),
  ]
  const readerFeatures = needed.minReaderVersion === 2 ? ['columnMapping'] : []
  const writerFeatures = needed.minWriterVersion === 5 ? ['columnMapping'] : []
  return {
    minReaderVersion: Math.max(own.minReaderVersion, needed.minReaderVersion),
    minWriterVersion: 7,
    ...(Math.max(own.minReaderVersion, needed.minReaderVersion) < 3
      ? {}
      : { readerFeatures: [...new Set([...union('readerFeatures'), ...readerFeatures])] }),
    writerFeatures: [...new Set([...union('writerFeatures'), ...writerFeatures])],
  }
}

function fieldOf({ name, physical, column, stored, comment }: StoredColumn, id: number | null): SchemaField {
  const metadata = {
    ...(comment === undefined ? {} : { comment }),
    ...mapping(id, physical),
    [SOURCE_TYPE]: column.native,
  }
  return { name, type: stored, nullable: column.nullable, metadata }
}

function partitionField({ partitionColumn }: StoredTable, id: number | null): SchemaField {
  return { name: partitionColumn, type: 'string', nullable: true, metadata: mapping(id, partitionColumn) }
}

function mapping(id: number | null, physical: string): Readonly<Record<string, string | number>> {
  return id === null ? {} : { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': physical }
}

/**
 * The partition column behind all others; before them in a table with column mapping, because `delta_scan` of DuckDB 1.5.5 reads it as NULL in any
 * other place of such a table.
 */
function inOrder(fields: readonly SchemaField[], { partitionColumn, mapped }: StoredTable): readonly SchemaField[] {
  const others = fields.filter(({ name }) => name !== partitionColumn)
  const own = fields.filter(({ name }) => name === partitionColumn)
  return mapped ? [...own, ...others] : [...others, ...own]
}

function asWritten({ name, type, nullable, metadata }: Field): SchemaField {
  return { name, type: typeText(type), nullable, metadata: metadata as SchemaField['metadata'] }
}

/** The oldest protocol that has what the columns need, because that is what most readers know. */
function shapeOf(fields: readonly SchemaField[], maxColumnId: number | null): TableShape {
  const isMapped = maxColumnId !== null
  const features = [
    ...(isMapped ? ['columnMapping'] : []),
    ...(fields.some(({ type }) => type === 'timestamp_ntz') ? ['timestampNtz'] : []),
  ]
  const protocol = features.includes('timestampNtz')
    ? { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: features, writerFeatures: features }
    : isMapped
      ? { minReaderVersion: 2, minWriterVersion: 5 }
      : { minReaderVersion: 1, minWriterVersion: 2 }
  return {
    protocol,
    schemaString: JSON.stringify({ type: 'struct', fields }),
    configuration: isMapped
      ? { 'delta.columnMapping.mode': 'name', 'delta.columnMapping.maxColumnId': String(maxColumnId) }
      : {},
  }
}

/** Readers of Parquet take names that differ only in case for one. */
function refuseSameNames({ columns, partitionColumn }: StoredTable): void {
  refuseDoubles([partitionColumn, ...columns.map(({ name }) => name)])
  refuseDoubles([partitionColumn, ...columns.map(({ physical }) => physical)].map((name) => name.toLowerCase()))
}

function refuseDoubles(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return
  throw new SluiceError('TABLE_REFUSED', `the archive would have two columns called ${twice}`)
}
