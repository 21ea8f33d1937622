/** Checks of a data file, and of its deletion vector, for which the data file must be opened. */
import {
  hasBounds,
  mistypedStatistics,
  wrongStatistics,
  statsOfFiles,
  type ColumnFacts,
  type StatsOfFile,
} from '../../../delta/fsck/bounds.ts'
import { firstDuplicate } from '../../../delta/duplicate-names.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import { schemaFit, type SchemaFit } from '../../../delta/fsck/schema-fit.ts'
import { leafColumns } from '../../../delta/schema.ts'
import { numRecordsOf } from '../../../delta/stats.ts'
import type { DeletionVector } from '../../../delta/deletion-vector.ts'
import type { FileFault, Footer, ParquetFooters, ScannedRows } from '../../../model/lake/parquet-footers.ts'
import type { FsckFile, Subject } from './subject.ts'

/** Characters of broken statistics that are shown. */
const SHOWN = 80

/** Result of checking a file. */
export type FileState = {
  readonly findings: readonly Finding[]
  /** Number of columns of which a bound or a count was compared. */
  readonly bounds: number
  readonly pages: number
  /** Number of pages that have a CRC-32. */
  readonly summedPages: number
}

export class FileInspector {
  readonly #subject: Subject
  readonly #partitions: ReadonlySet<string>
  readonly #hidden: ReadonlySet<string>
  readonly #statsOf: (stats: string) => StatsOfFile | null

  constructor(subject: Subject) {
    this.#subject = subject
    this.#partitions = new Set(subject.partitionColumns)
    this.#hidden = hiddenColumns(subject.metadata.configuration ?? {})
    const inFile = subject.schema.fields.filter(({ name }) => !this.#partitions.has(name))
    this.#statsOf = statsOfFiles(leafColumns({ kind: 'struct', fields: inFile }))
  }

  /** Compares the footer with the log. */
  footer(file: FsckFile, footer: Footer | FileFault): FileState {
    const { path } = file
    if ('fault' in footer) return stateOf([faultFinding(file, footer), ...this.statistics(file)])
    const findings: Finding[] = [...rowFindings(file, footer.rows), ...this.#columnFindings(file, footer)]
    const stats = file.stats === null ? null : this.#statsOf(file.stats)
    if (stats === null) return stateOf([...findings, ...this.statistics(file)])
    findings.push(...this.statistics(file))
    const fit = this.#fit(footer)
    const tight = stats.tightBounds
    let bounds = 0
    for (const stated of stats.columns) {
      const leaf = fit.leafOf(stated.column)
      if (leaf === null && !isAllNull(stated, footer.rows)) findings.push(absentColumn(path, stated))
      const known = leaf === null || leaf.field.leaf === null ? undefined : footer.leaves[leaf.field.leaf]
      if (known === undefined) continue
      bounds++
      // Tight statistics cover only rows that the deletion vector does not hide; the footer covers all rows.
      const facts: ColumnFacts = {
        nulls: file.vector === null ? known.nulls : null,
        values: file.vector === null || !tight ? known.values : [],
      }
      for (const wrong of wrongStatistics(stated, facts, { rows: footer.rows, visible: footer.rows, isTight: tight })) {
        findings.push({ level: 'finding', kind: 'statistics', path, ...wrong })
      }
    }
    return { ...stateOf(findings), bounds }
  }

  /** Checks the statistics in the log without opening the file: their types, the row count, and duplicate names. */
  statistics({ path, stats: text }: FsckFile): readonly Finding[] {
    if (text === null) return []
    const wrong = { level: 'finding', kind: 'statistics-unreadable', path } as const
    const stats = this.#statsOf(text)
    if (stats === null) return [{ ...wrong, log: text.slice(0, SHOWN), detail: 'its statistics are not a JSON object' }]
    const findings: Finding[] = stats.columns
      .flatMap((stated) => mistypedStatistics(stated))
      .map((one) => ({ ...wrong, ...one }))
    if (stats.numRecords !== undefined && numRecordsOf(text) === null) {
      const log = stats.numRecords.slice(0, SHOWN)
      findings.push({ ...wrong, log, detail: `numRecords is ${log}, which is not a count` })
    }
    const doubled = firstDuplicate(text)
    if (doubled !== null) {
      const log = JSON.stringify(doubled.slice(0, SHOWN))
      const detail = `its statistics have the name ${log} twice in one object: readers take the first or the last`
      findings.push({ ...wrong, log, detail })
    }
    return findings
  }

  /** Reads the whole file and compares its rows with the statistics. */
  async rows(
    file: FsckFile,
    local: string,
    footer: Footer,
    vector: DeletionVector | null,
    parquet: ParquetFooters,
    signal: AbortSignal,
  ): Promise<FileState> {
    const { path } = file
    const stats = file.stats === null ? null : this.#statsOf(file.stats)
    const fit = this.#fit(footer)
    const stated = (stats?.columns ?? []).flatMap((one) => {
      const leaf = fit.leafOf(one.column)
      return leaf === null ? [] : [{ one, leaf }]
    })
    const scanned = await parquet.scan(local, {
      columns: stated.map(({ one, leaf }) => ({
        path: leaf.names,
        bounds: hasBounds(one.column) && isText(one, leaf),
      })),
      deleted: vector === null ? null : vector.rows(),
      signal,
    })
    if ('fault' in scanned) return stateOf([faultFinding(file, scanned)])
    const findings = pageFindings(file, scanned)
    for (const [i, { one }] of stated.entries()) {
      const column = scanned.columns[i]
      if (column === undefined || stats === null) continue
      const facts: ColumnFacts = {
        nulls: column.nulls,
        values: [column.min, column.max].filter((value) => value !== null),
      }
      const counts = { rows: scanned.rows, visible: scanned.visible, isTight: stats.tightBounds }
      for (const wrong of wrongStatistics(one, facts, counts))
        findings.push({ level: 'finding', kind: 'statistics', path, ...wrong })
    }
    const { pages } = scanned
    return { findings, bounds: stated.length, pages: pages.pages, summedPages: pages.summed }
  }

  #fit(footer: Footer): SchemaFit {
    const { schema, mode } = this.#subject
    return schemaFit(schema, this.#partitions, mode, footer.fields, { hidden: this.#hidden, writer: footer.writer })
  }

  #columnFindings(file: FsckFile, footer: Footer): readonly Finding[] {
    const { path } = file
    const fit = this.#fit(footer)
    const { mode } = this.#subject
    const names = footer.fields.map(({ name }) => name).join(', ')
    // With column mapping by name, a file may be older than all current columns.
    const lacksAll =
      fit.present === 0 && footer.rows > 0 && (mode === 'none' || footer.fields.every(({ id }) => id === null))
    if (lacksAll && mode !== 'name') {
      const wanted = mode === 'id' ? 'field ids of the table' : 'columns of the table'
      const detail = names === '' ? 'it has no columns' : `it has none of the ${wanted}, but ${names}`
      return [{ level: 'finding', kind: 'columns-missing', path, found: names, detail }]
    }
    return [
      ...fit.renamed.map(({ column, unknown }): Finding => {
        const detail = `it lacks ${column}, and has ${unknown}, which is no column of the table`
        return { level: 'finding', kind: 'columns-missing', path, column, found: unknown, detail }
      }),
      ...fit.doubled.map((column): Finding => {
        const detail = `it has two columns ${column}`
        return { level: 'finding', kind: 'columns-missing', path, column, detail }
      }),
      ...fit.misfits.map(({ column, table, file: found }): Finding => {
        const detail = `${column} is ${found} in the file, ${table} in the table`
        return { level: 'finding', kind: 'column-type', path, column, log: table, found, detail }
      }),
    ]
  }
}

/** Names of the columns with row ids and commit versions, which the schema omits (PROTOCOL.md, "Row Tracking"). */
function hiddenColumns(configuration: Readonly<Record<string, string | null>>): ReadonlySet<string> {
  const keys = [
    'delta.rowTracking.materializedRowIdColumnName',
    'delta.rowTracking.materializedRowCommitVersionColumnName',
  ]
  return new Set(keys.flatMap((key) => configuration[key] ?? []))
}

/** True if the statistics state only nulls. They then agree with a missing column, which is read as NULL. */
function isAllNull({ min, max, nulls }: StatsOfFile['columns'][number], rows: number): boolean {
  return min === undefined && max === undefined && (nulls === undefined || Number(nulls) >= rows)
}

function absentColumn(path: string, { column, nulls, min }: StatsOfFile['columns'][number]): Finding {
  const name = column.physicalPath.join('.')
  const log = nulls === undefined ? `min ${min ?? 'unbounded'}` : `nullCount ${nulls}`
  const detail = `the log has statistics of ${name}, the file has no such column`
  return { level: 'finding', kind: 'columns-missing', path, column: name, log, detail }
}

/** False if a string column of the table is stored as plain bytes in the file: these may be invalid text. */
function isText(
  { column }: StatsOfFile['columns'][number],
  { field }: NonNullable<ReturnType<SchemaFit['leafOf']>>,
): boolean {
  const { type } = column.field
  return !(type.kind === 'primitive' && type.name === 'string') || field.type === 'VARCHAR'
}

/** A finding if the deletion vector hides rows beyond the end of the file. @param rows null if unknown */
export function vectorFindings(file: FsckFile, vector: DeletionVector, rows: number | null): readonly Finding[] {
  const { path } = file
  if (rows === null || vector.last === null || vector.last < BigInt(rows)) return []
  const detail = `its deletion vector hides row ${vector.last}, the file has ${rows}`
  return [{ level: 'finding', kind: 'vector-positions', path, log: `${rows} rows`, found: `${vector.last}`, detail }]
}

function rowFindings({ path, stats }: FsckFile, rows: number): readonly Finding[] {
  const said = numRecordsOf(stats)
  if (said === null || said === rows) return []
  const detail = `the file has ${rows} rows, the log records ${said}`
  return [{ level: 'finding', kind: 'row-count', path, log: `${said}`, found: `${rows}`, detail }]
}

function faultFinding({ path }: FsckFile, { fault, reason }: FileFault): Finding {
  const kind = fault === 'encrypted' ? 'file-encrypted' : 'file-unreadable'
  return { level: 'finding', kind, path, detail: reason }
}

function pageFindings({ path }: FsckFile, { pages }: ScannedRows): Finding[] {
  return pages.wrong.map(({ column, offset }) => ({
    level: 'finding',
    kind: 'page-checksum',
    path,
    column,
    detail: `the page of ${column} at byte ${offset} does not match its CRC-32`,
  }))
}

function stateOf(findings: readonly Finding[]): FileState {
  return { findings, bounds: 0, pages: 0, summedPages: 0 }
}
