/** Reads footers of data files, many in one query, or one by one if a file among them is damaged. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type {
  FileFault,
  Footer,
  FooterField,
  LeafStats,
  ParquetFooters,
  ScannedRows,
} from '../../model/lake/parquet-footers.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { localSourceError } from '../local/index.ts'
import { SharedDuckDb } from './instance.ts'
import { footerShapeFault } from './footer-shape.ts'
import { messageOf } from './errors.ts'
import { damagedParquet, faultOf } from './parquet-faults.ts'
import { annotationFault } from './parquet-annotations.ts'
import { ParquetNames } from './parquet-names.ts'
import { scanRows, textOf } from './parquet-scan.ts'
import { groupBy } from '../../shared/group-by.ts'

const SETTINGS = { threads: 1, memoryLimit: '768MB' } as const
const TAIL_BYTES = 8
/** Size of the smallest possible file: the magic at both ends, and the length of the footer. */
const LEAST_BYTES = 12
const MAGIC_BYTES = 4
/** Longest text, in bytes, that counts as complete if the footer does not say whether the writer truncated it. */
const LONGEST_UNCUT = 63

class DuckDbFooters implements ParquetFooters {
  #shared = new SharedDuckDb(SETTINGS)

  async footers(files: readonly string[], signal: AbortSignal): Promise<readonly (Footer | FileFault)[]> {
    throwIfAborted(signal)
    const sizes = files.map((file) => tailOf(file))
    const sound = files.filter((_, i) => typeof sizes[i] === 'number')
    const found = await this.#together(sound, signal)
    let next = 0
    return sizes.map((size) => {
      if (typeof size !== 'number') return size
      const footer = found[next++] as Footer | FileFault
      return 'fault' in footer ? footer : (footerFault(footer, size) ?? footer)
    })
  }

  async scan(file: string, options: Parameters<ParquetFooters['scan']>[1]): Promise<ScannedRows | FileFault> {
    const [footer] = await this.footers([file], options.signal)
    if (footer === undefined || 'fault' in footer) return footer ?? damagedParquet('it has no footer')
    return this.#connected(options.signal, (connection, names) => scanRows(connection, names, file, footer, options))
  }

  /** Reads all footers in one query. One damaged file fails that query: then each file is read separately. */
  async #together(files: readonly string[], signal: AbortSignal): Promise<readonly (Footer | FileFault)[]> {
    if (files.length === 0) return []
    try {
      return await this.#connected(signal, (connection, names) => readFooters(connection, names, files))
    } catch (error) {
      throwIfAborted(signal)
      if (error instanceof SluiceError) throw error
      if (files.length === 1) return [faultOf(error)]
      const each: (Footer | FileFault)[] = []
      for (const file of files) each.push(...(await this.#together([file], signal)))
      return each
    }
  }

  async #connected<T>(
    signal: AbortSignal,
    body: (connection: DuckDBConnection, names: ParquetNames) => Promise<T>,
  ): Promise<T> {
    const shared = this.#shared
    const connection = await shared.connect()
    const stop = (): void => connection.interrupt()
    signal.addEventListener('abort', stop, { once: true })
    await using names = new ParquetNames()
    try {
      return await body(connection, names)
    } catch (error) {
      // After an internal error DuckDB refuses all further queries of the instance.
      if (/INTERNAL|FATAL|invalidated/.test(messageOf(error)) && this.#shared === shared)
        this.#shared = new SharedDuckDb(SETTINGS)
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
      shared.release(connection)
    }
  }
}

/** Size of the file, or what is wrong with its end. @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO */
function tailOf(file: string): number | FileFault {
  let fd: number | null = null
  try {
    fd = openSync(file, 'r')
    const { size } = fstatSync(fd)
    if (size < LEAST_BYTES) return { fault: 'cut', reason: `it has ${size} bytes, fewer than any Parquet file` }
    const tail = Buffer.alloc(TAIL_BYTES)
    readSync(fd, tail, 0, TAIL_BYTES, size - TAIL_BYTES)
    const magic = tail.toString('latin1', 4)
    if (magic === 'PARE') return { fault: 'encrypted', reason: 'its footer is encrypted (PARE)' }
    if (magic !== 'PAR1') return { fault: 'cut', reason: 'it does not end with PAR1' }
    const length = tail.readUInt32LE(0)
    if (length + LEAST_BYTES > size) return { fault: 'cut', reason: `its footer of ${length} bytes is cut short` }
    const footer = Buffer.alloc(length)
    readSync(fd, footer, 0, length, size - TAIL_BYTES - length)
    const fault = footerShapeFault(footer)
    return fault === null ? size : damagedParquet(fault)
  } catch (error) {
    throw localSourceError(error, file)
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

type ReadFooter = Footer & { readonly grouped: number; readonly reach: number; readonly crypt: string | null }

/** The first contradiction within a footer, or its encryption; null if there is neither. */
function footerFault(footer: Footer, size: number): FileFault | null {
  const { rows, grouped, reach, crypt } = footer as ReadFooter
  if (crypt !== null) return { fault: 'encrypted', reason: `its columns are encrypted (${crypt})` }
  if (!Number.isSafeInteger(rows) || rows < 0) return damagedParquet('its footer has no row count')
  if (rows !== grouped) return damagedParquet(`its footer records ${rows} rows, but its row groups have ${grouped}`)
  if (reach > size)
    return damagedParquet(`according to its footer a column ends at byte ${reach}, but the file has ${size} bytes`)
  return null
}

type Rows = readonly (readonly DuckDBValue[])[]

async function rowsBy(connection: DuckDBConnection, sql: string): Promise<ReadonlyMap<string, Rows>> {
  const result = await connection.run(sql)
  const by = groupBy(await result.getRows(), ([name]) => String(name))
  return new Map([...by].map(([name, rows]) => [name, rows.map(([, ...row]) => row)]))
}

async function readFooters(
  connection: DuckDBConnection,
  names: ParquetNames,
  files: readonly string[],
): Promise<readonly Footer[]> {
  const plain = await Promise.all(files.map((file) => names.plain(file)))
  const list = `[${plain.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ')}]`
  const facts = await rowsBy(
    connection,
    `SELECT file_name, num_rows, encryption_algorithm, created_by FROM parquet_file_metadata(${list})`,
  )
  const schema = await rowsBy(
    connection,
    `SELECT file_name, name, num_children, duckdb_type, converted_type, type, repetition_type, field_id, logical_type, precision, scale FROM parquet_schema(${list})`,
  )
  const chunks = await rowsBy(
    connection,
    `SELECT file_name, row_group_id, row_group_num_rows, column_id, num_values, type, stats_null_count,
       stats_min_value, stats_max_value, stats_min, stats_max, min_is_exact, max_is_exact,
       least(CASE WHEN dictionary_page_offset > 0 THEN dictionary_page_offset END, data_page_offset), total_compressed_size,
       path_in_schema
     FROM parquet_metadata(${list})`,
  )
  return plain.map((name) => {
    const [rows, crypt, writer] = facts.get(name)?.[0] ?? []
    const fields = treeOf(schema.get(name) ?? [])
    const leaves = leavesOf(fields)
    const groups = groupsOf(chunks.get(name) ?? [], leaves)
    const footer: ReadFooter = {
      rows: Number(rows),
      writer: textOf(writer),
      fields,
      leaves: groups.stats,
      grouped: groups.rows,
      reach: groups.reach,
      crypt: crypt === null || crypt === undefined ? null : String(crypt),
    }
    return footer
  })
}

type Building = { -readonly [K in keyof FooterField]: FooterField[K] } & { fields: Building[] }

function treeOf(rows: Rows): readonly FooterField[] {
  const root: Building[] = []
  const open: { into: Building[]; left: number }[] = []
  let leaf = 0
  for (const [i, row] of rows.entries()) {
    const [name, children, type, converted, physical, repetition, id, logical, precision, scale] = row
    const count = Number(children ?? 0)
    if (i === 0) {
      open.push({ into: root, left: count })
      continue
    }
    while (open.length > 1 && open.at(-1)?.left === 0) open.pop()
    const parent = open.at(-1)
    if (parent === undefined || parent.left === 0)
      throw new Error('the schema of the footer has fields without a parent')
    parent.left--
    const annotation = { converted: textOf(converted), logical: textOf(logical), precision, scale }
    const contradiction = annotationFault(annotation)
    if (contradiction !== null) throw new Error(`its column ${String(name)} is ${contradiction}`)
    const isLeaf = children === null
    const field: Building = {
      name: String(name),
      type: isLeaf ? String(type) : null,
      converted: textOf(converted),
      physical: textOf(physical),
      isRepeated: repetition === 'REPEATED',
      id: id === null || id === undefined ? null : Number(id),
      fields: [],
      leaf: isLeaf ? leaf++ : null,
    }
    parent.into.push(field)
    if (count > 0) open.push({ into: field.fields, left: count })
  }
  return root
}

type Leaf = { readonly field: FooterField; readonly path: string; readonly isRepeated: boolean }

function leavesOf(fields: readonly FooterField[], above = '', isRepeated = false): readonly Leaf[] {
  return fields.flatMap((field): readonly Leaf[] => {
    const path = above === '' ? field.name : `${above}, ${field.name}`
    const repeated = isRepeated || field.isRepeated
    return field.leaf === null ? leavesOf(field.fields, path, repeated) : [{ field, path, isRepeated: repeated }]
  })
}

function groupsOf(
  chunks: Rows,
  leaves: readonly Leaf[],
): { readonly rows: number; readonly reach: number; readonly stats: readonly LeafStats[] } {
  const rowsOfGroup = new Map<number, number>()
  const columnsOfGroup = new Map<number, number>()
  const stats = leaves.map(() => ({ nulls: 0 as number | null, values: [] as string[] }))
  const places: { readonly start: number; readonly end: number }[] = []
  for (const chunk of chunks) {
    const [group, rows, column, values, physical, nulls, min, max, oldMin, oldMax, minExact, maxExact, at, size, path] =
      chunk
    rowsOfGroup.set(Number(group), Number(rows))
    columnsOfGroup.set(Number(group), (columnsOfGroup.get(Number(group)) ?? 0) + 1)
    const leaf = leaves[Number(column)]
    const own = stats[Number(column)]
    if (leaf === undefined || own === undefined) throw new Error('a row group has a column that is not in the schema')
    places.push({ start: Number(at), end: Number(at) + Number(size) })
    const fault = chunkFault(leaf, {
      rows: Number(rows),
      values: Number(values),
      physical: textOf(physical),
      path: String(path),
    })
    if (fault !== null) throw new Error(fault)
    own.nulls = nulls === null || own.nulls === null ? null : own.nulls + Number(nulls)
    for (const [value, old, exact] of [
      [min, oldMin, minExact],
      [max, oldMax, maxExact],
    ]) {
      const text = valueOf(leaf.field, value ?? null, old ?? null, exact ?? null)
      if (text !== null && own.values.at(-1) !== text) own.values.push(text)
    }
  }
  for (const columns of columnsOfGroup.values()) {
    if (columns !== leaves.length)
      throw new Error(`a row group has ${columns} columns, but the schema has ${leaves.length}`)
  }
  let rows = 0
  for (const count of rowsOfGroup.values()) rows += count
  return { rows, reach: reachOf(places), stats }
}

/** The first contradiction between a column chunk and the schema of the same footer; null if there is none. */
function chunkFault(
  { field, path, isRepeated }: Leaf,
  chunk: { readonly rows: number; readonly values: number; readonly physical: string | null; readonly path: string },
): string | null {
  if (chunk.path !== path) return `its column ${path} is called ${chunk.path} in a row group`
  if (chunk.physical !== field.physical)
    return `its column ${path} is ${field.physical}, but ${chunk.physical} in a row group`
  if (!isRepeated && chunk.values !== chunk.rows)
    return `its column ${path} has ${chunk.values} values in a row group of ${chunk.rows} rows`
  return null
}

/** Offset of the end of the last column. @throws Error if columns overlap */
function reachOf(places: readonly { readonly start: number; readonly end: number }[]): number {
  let reach = MAGIC_BYTES
  for (const { start, end } of places.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start < reach || end < start)
      throw new Error(`according to its footer a column begins at byte ${start}, before the end of another column`)
    reach = end
  }
  return reach
}

/** A value that occurs in the column, or null if the statistics do not surely contain one. */
function valueOf(leaf: FooterField, value: DuckDBValue, old: DuckDBValue, exact: DuckDBValue): string | null {
  if (exact === false) return null
  const isText = leaf.type === 'VARCHAR'
  // The older fields for bytes used another sort order, and some writers applied it wrongly: these fields are ignored.
  const text = value ?? (leaf.physical === 'BYTE_ARRAY' || leaf.physical === 'FIXED_LEN_BYTE_ARRAY' ? null : old)
  if (text === null || text === undefined) return null
  const plain = String(text)
  if (isText && exact === null && Buffer.byteLength(plain) > LONGEST_UNCUT) return null
  return /^-?nan$/i.test(plain) && !isText ? null : plain
}

/** Footers and rows by DuckDB; calls may run in parallel. */
export function duckdbFooters(): ParquetFooters {
  return new DuckDbFooters()
}
