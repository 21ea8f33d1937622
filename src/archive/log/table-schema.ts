/** The columns of an archive as a Delta schema, and the protocol and properties that it needs. */
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { schemaOf, typeText, type Field } from '../../delta/schema.ts'
import { SluiceError } from '../../shared/errors.ts'

/** One field in the form of `schemaString`. */
type SchemaField = {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, string | number | readonly TypeChange[]>>
}

/** An earlier type change of a field (PROTOCOL.md, "Type Change Metadata"). */
type TypeChange = { readonly fromType: string; readonly toType: string }

export type DeltaTableShape = {
  readonly protocol: ProtocolAction
  readonly schemaString: string
  /** Properties that the schema needs. */
  readonly configuration: Readonly<Record<string, string>>
}

/** Metadata key of a field: the type declared in the source. */
const SOURCE_TYPE = 'sluice.type'
/** Metadata key of a field: earlier, narrower types that files may have. */
const TYPE_CHANGES = 'delta.typeChanges'
const WIDENING = { feature: 'typeWidening', property: 'delta.enableTypeWidening' } as const
/** Table property: number of column changes, so that a program with an older column list does not undo them. */
const SHAPE = 'sluice.shape'

/** The schema of a new table for these columns. @throws SluiceError TABLE_REFUSED if two columns have the same name */
export function newShape(stored: StoredTable): DeltaTableShape {
  refuseSameNames(stored)
  const fields = stored.columns.map((column, i) => fieldOf(column, stored.mapped ? (column.id ?? i + 1) : null))
  fields.push(partitionField(stored, stored.mapped ? (stored.partitionId ?? fields.length + 1) : null))
  const shape = shapeOf(orderedFields(fields, stored), stored.mapped ? (stored.lastId ?? fields.length) : null)
  if (stored.shape === undefined) return shape
  return { ...shape, configuration: { ...shape.configuration, [SHAPE]: String(stored.shape) } }
}

/**
 * The new schema of a table so that it accepts these columns. Fields are matched by physical names: new columns are
 * added, renamed ones get their new names, dropped ones are removed. A column that some file may lack becomes nullable.
 * @returns null if nothing must change, or a newer program has changed the table meanwhile
 * @throws SluiceError ARCHIVE_CONFLICT if a column has two types, or the schema differs from the ledger's
 */
export function grownShape(
  stored: StoredTable,
  { protocol, metadata }: { readonly protocol: ProtocolAction; readonly metadata: MetadataAction },
  where: string,
): DeltaTableShape | null {
  refuseSameNames(stored)
  const conflict = (what: string): SluiceError =>
    new SluiceError('ARCHIVE_CONFLICT', `the archive has another schema: ${what}`, {
      where,
      hint: 'restore the schema that sluice created; or put later rows into a table of another name, which gets its own archive',
    })
  const { configuration = {} } = metadata
  const shape = stored.shape ?? 0
  if (Number(configuration?.[SHAPE] ?? 0) > shape) return null
  const mode = configuration?.['delta.columnMapping.mode']?.toLowerCase() ?? 'none'
  // A change of the columns may turn column mapping on, but never off.
  const isFit = stored.mapped ? mode === 'name' || (mode === 'none' && shape > 0) : mode === 'none'
  if (!isFit) {
    throw conflict(`its column mapping is '${mode}'${stored.mapped ? ', and column names need mapping by name' : ''}`)
  }
  if (metadata.partitionColumns?.length !== 1 || metadata.partitionColumns[0] !== stored.partitionColumn) {
    throw conflict(`it is not partitioned by ${stored.partitionColumn}`)
  }
  const own = schemaOf(protocol, metadata).fields
  const wanted = new Map([...stored.columns, ...(stored.kept ?? [])].map((column) => [column.physical, column]))
  const retired = new Set(stored.retired)
  let last = Math.max(
    Number(configuration?.['delta.columnMapping.maxColumnId'] ?? 0),
    stored.lastId ?? 0,
    stored.mapped ? 0 : own.length,
  )
  const idOf = (id: number | undefined): number | null => (stored.mapped ? (id ?? ++last) : null)
  let grew = mode === 'none' && stored.mapped
  const fields = own.flatMap((field): SchemaField[] => {
    const { physicalName } = field
    if (field.name === stored.partitionColumn) return [fieldJson(field, idOf(field.id ?? stored.partitionId))]
    if (retired.has(physicalName)) {
      grew = true
      return []
    }
    const column = wanted.get(physicalName)
    wanted.delete(physicalName)
    const type = typeText(field.type)
    const isNarrower = column !== undefined && type !== column.stored
    if (isNarrower && column.narrower?.some((one) => one === type) !== true)
      throw conflict(`${field.name} is ${type}, and should be ${column.stored}`)
    const isThere = column !== undefined && stored.columns.includes(column)
    const nullable = field.nullable || !isThere || column.column.nullable
    const name = column?.name ?? field.name
    if (nullable !== field.nullable || name !== field.name || isNarrower) grew = true
    const same = fieldJson(field, idOf(field.id ?? column?.id))
    if (!isNarrower) return [{ ...same, name, nullable }]
    return [{ name, type: column.stored, nullable, metadata: { ...same.metadata, ...typeMetadata(column) } }]
  })
  if (!fields.some(({ name }) => name === stored.partitionColumn))
    throw conflict(`it has no column ${stored.partitionColumn}`)
  for (const column of wanted.values()) {
    // Nothing was published with this earlier type, so no file has it.
    if (!stored.columns.includes(column)) continue
    grew = true
    fields.push({ ...fieldOf(column, idOf(column.id)), nullable: true })
  }
  if (!grew) return null
  const names = fields.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const field = own.find(({ name }) => name === twice)
    throw conflict(`${twice} is called ${field?.physicalName} in its files, and that name is not in the ledger`)
  }
  const made = shapeOf(orderedFields(fields, stored), stored.mapped ? last : null)
  return {
    ...made,
    protocol: bothProtocols(protocol, made.protocol),
    configuration: { ...made.configuration, ...(shape === 0 ? {} : { [SHAPE]: String(shape) }) },
  }
}

/** Both protocols combined. Keeps features and versions in use, because unknown programs may rely on them. */
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

function fieldOf(of: StoredColumn, id: number | null): SchemaField {
  const { name, physical, column, stored, comment } = of
  const metadata = {
    ...(comment === undefined ? {} : { comment }),
    ...mapping(id, physical),
    ...typeMetadata(of),
  }
  return { name, type: stored, nullable: column.nullable, metadata }
}

function typeMetadata({ column, stored, narrower = [] }: StoredColumn): SchemaField['metadata'] {
  const all = [...narrower, stored]
  const changes = narrower.map((fromType, i): TypeChange => ({ fromType, toType: all[i + 1] ?? stored }))
  return { [SOURCE_TYPE]: column.native, ...(changes.length === 0 ? {} : { [TYPE_CHANGES]: changes }) }
}

function partitionField({ partitionColumn }: StoredTable, id: number | null): SchemaField {
  return { name: partitionColumn, type: 'string', nullable: true, metadata: mapping(id, partitionColumn) }
}

function mapping(id: number | null, physical: string): Readonly<Record<string, string | number>> {
  return id === null ? {} : { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': physical }
}

/**
 * The partition column comes last; in a table with column mapping it comes first, because `delta_scan` of DuckDB 1.5.5
 * reads it as NULL at any other position of such a table.
 */
function orderedFields(
  fields: readonly SchemaField[],
  { partitionColumn, mapped }: StoredTable,
): readonly SchemaField[] {
  const others = fields.filter(({ name }) => name !== partitionColumn)
  const own = fields.filter(({ name }) => name === partitionColumn)
  return mapped ? [...own, ...others] : [...others, ...own]
}

/** A field as JSON, with its present or new id. */
function fieldJson({ name, physicalName, type, nullable, metadata }: Field, id: number | null): SchemaField {
  const own = metadata as SchemaField['metadata']
  return { name, type: typeText(type), nullable, metadata: { ...own, ...mapping(id, physicalName) } }
}

/** Schema and properties with the oldest protocol that supports the columns: most readers support that protocol. */
function shapeOf(fields: readonly SchemaField[], maxColumnId: number | null): DeltaTableShape {
  const isMapped = maxColumnId !== null
  const isWidened = fields.some(({ metadata }) => Object.hasOwn(metadata, TYPE_CHANGES))
  const features = [
    ...(isMapped ? ['columnMapping'] : []),
    ...(fields.some(({ type }) => type === 'timestamp_ntz') ? ['timestampNtz'] : []),
    ...(isWidened ? [WIDENING.feature] : []),
  ]
  const protocol = features.some((feature) => feature !== 'columnMapping')
    ? { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: features, writerFeatures: features }
    : isMapped
      ? { minReaderVersion: 2, minWriterVersion: 5 }
      : { minReaderVersion: 1, minWriterVersion: 2 }
  return {
    protocol,
    schemaString: JSON.stringify({ type: 'struct', fields }),
    configuration: {
      ...(isMapped
        ? { 'delta.columnMapping.mode': 'name', 'delta.columnMapping.maxColumnId': String(maxColumnId) }
        : {}),
      ...(isWidened ? { [WIDENING.property]: 'true' } : {}),
    },
  }
}

/** Physical names are compared without case: readers of Parquet treat names that differ only in case as equal. */
function refuseSameNames({ columns, partitionColumn }: StoredTable): void {
  refuseDoubles([partitionColumn, ...columns.map(({ name }) => name)])
  refuseDoubles([partitionColumn, ...columns.map(({ physical }) => physical)].map((name) => name.toLowerCase()))
}

function refuseDoubles(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return
  throw new SluiceError('TABLE_REFUSED', `the archive would have two columns called ${twice}`, {
    hint: `rename column ${twice} of the table, then run the same command again`,
  })
}
