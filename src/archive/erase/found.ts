/** Finds the rows to erase: in which files, and in which table of the source. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import { renamedTest, type RowTest } from '../../model/archive/row-test.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ReadColumn } from '../../model/copy/read-column.ts'
import type { SourceView } from '../../model/copy/source-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { NO_ROWS } from '../../model/copy/row-hash.ts'
import { partitionCondition, archivedReadColumns, wholeRequest, type ArchiveContext } from '../steps/context.ts'
import { localFiles } from '../steps/local-files.ts'
import { findDetachedTable, partitionsNow } from '../steps/detached-table.ts'
import type { ErasedTable } from '../plan/row-triggers.ts'
import { storedTable } from '../types/index.ts'
import { isContained } from '../types/same-type.ts'

/** A file, and the digest of its rows to erase. */
export type FoundFile = { readonly file: ArchivedFile; readonly digest: Digest }

/**
 * The rows to erase. Statistics in the log may be wrong, so every file is read.
 * @property read digests of rows to erase, by the path of a file: no file changes, so a run reads each once
 */
export type ErasedRows = { readonly test: RowTest; readonly read: Map<string, Digest> }

/** Rows of a partition in the source; `columns` are all columns of the table. */
export type SourcePlace = {
  readonly table: TableSpec
  readonly where: string
  readonly columns: readonly ReadColumn[]
}

export type FoundRows = {
  /** Files that hold rows to erase; the other files of the partition do not change. */
  readonly files: readonly FoundFile[]
  /** Place of the partition's rows in the source; null if the source has none. */
  readonly place: SourcePlace | null
  /** Digest of the rows in the source. */
  readonly source: Digest
}

/**
 * @param attached tables of attached partitions, by their identities
 * @throws SluiceError UNSUPPORTED_TYPE if the source compares a column differently from Parquet files; PROOF_FAILED,
 * SOURCE_IO, CONNECTION_LOST
 */
export async function foundRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  wanted: ErasedRows,
  attached: ReadonlyMap<string, TableSpec>,
): Promise<FoundRows> {
  const files = await foundFiles(context, partition, wanted)
  const place = await placeOf(context, partition, wanted.test, attached)
  if (place === null) return { files, place, source: NO_ROWS }
  await using view = await context.store.source(context.interrupt.abort)
  return { files, place, source: await placeDigest(context, view, place) }
}

/** Files with rows that match the test, and the digest of these rows. @throws SluiceError PROOF_FAILED, SOURCE_IO */
async function foundFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  { test, read }: ErasedRows,
): Promise<readonly FoundFile[]> {
  const files = partition.files.filter(({ path }) => !read.has(path))
  if (files.length > 0) {
    await using local = await localFiles(context, files)
    const parquet = await context.parquet()
    const digests = await parquet.matching({
      columns: partition.columns,
      files: local.paths,
      signal: context.interrupt.abort,
      test: fileTest(context, partition, test),
    })
    for (const [i, { path }] of files.entries()) read.set(path, digests[i] ?? NO_ROWS)
  }
  return partition.files.flatMap((file) => {
    const digest = read.get(file.path) ?? NO_ROWS
    return digest.rows === 0n ? [] : [{ file, digest }]
  })
}

/**
 * The test, with the column names of the time when the partition's files were written.
 * @throws SluiceError UNSUPPORTED_TYPE if a column had a type whose values cannot be compared with the present ones, or
 * did not exist and is tested for NULL
 */
export function fileTest(
  { archived, name }: Pick<ArchiveContext, 'archived' | 'name'>,
  { columns, label }: Pick<ArchivedPartition, 'columns' | 'label'>,
  test: RowTest,
): RowTest {
  const now = new Map(archived.stored.columns.map((column) => [column.name, column]))
  return renamedTest(test, (tested, asked) => {
    const column = now.get(tested)
    const found = columns.find(({ physical }) => physical === column?.physical)
    if (found !== undefined) return found.name
    const earlier = columns.find(({ physical }) => column?.was?.includes(physical) === true)
    if (earlier === undefined && asked === 'value') return null
    if (earlier !== undefined && column !== undefined && isContained(earlier.as, column.as)) return earlier.name
    throw new SluiceError(
      'UNSUPPORTED_TYPE',
      `the condition on column ${tested} cannot be tested in the files of ${label} of ${name}`,
      {
        where: `${name}, ${label}`,
        reason: `${earlier === undefined ? 'they were written before the column existed' : `the column had the type ${earlier.column.native} when they were written`}; nothing was changed`,
        hint: 'use other columns in the condition, or restore the partition first',
      },
    )
  })
}

/** Digest of the rows that a SourcePlace selects now. */
export function placeDigest(
  { interrupt }: Pick<ArchiveContext, 'interrupt'>,
  view: SourceView,
  { table, where, columns }: SourcePlace,
): Promise<Digest> {
  return view.digest(wholeRequest(table, columns, where), interrupt.abort)
}

/** All current columns of a table in the source: the digest must cover the whole rows that are deleted. */
export function columnsNow({ archived }: ArchiveContext, table: TableSpec): readonly ReadColumn[] {
  const texts = archived.stored.columns.filter(
    ({ as, name }) => as.kind === 'native' && table.columns.some((one) => one.name === name),
  )
  return archivedReadColumns(
    storedTable(table, { asText: texts.map(({ name }) => name), comments: {}, sortBy: [] }).columns,
  )
}

/** The test as SQL of the source. @throws SluiceError UNSUPPORTED_TYPE */
export function sourceTest(
  { store, name }: Pick<ArchiveContext, 'store' | 'name'>,
  table: TableSpec,
  test: RowTest,
): string {
  const where = store.offers.rowValues?.condition(table.columns, test) ?? null
  if (where !== null) return where
  throw new SluiceError('UNSUPPORTED_TYPE', `the rows to erase from ${name} cannot be selected in its database`, {
    where: store.label,
    ...(store.offers.rowValues === undefined
      ? { reason: 'this system cannot remove rows within a transaction' }
      : {
          reason: 'the database compares a column of the condition differently from Parquet files',
          hint: 'use only columns of whole numbers, texts or dates in the condition',
        }),
  })
}

async function placeOf(
  context: ArchiveContext,
  partition: ArchivedPartition,
  test: RowTest,
  attached: ReadonlyMap<string, TableSpec>,
): Promise<SourcePlace | null> {
  const { table } = context
  const { native, state } = partition
  if (state !== 'PUBLISHED' && state !== 'DETACHED') return null
  if (native === null) {
    const where = `(${sourceTest(context, table, test)}) AND (${partitionCondition(context, partition)})`
    return { table, where, columns: columnsNow(context, table) }
  }
  const found =
    state === 'PUBLISHED'
      ? (attached.get(native.identity) ?? (await detachedByHand(context, native.table, attached)))
      : await findDetachedTable(context, partition)
  if (found === null) return null
  // A detached table keeps the columns that it had when it was detached.
  const named = state === 'DETACHED' ? fileTest(context, partition, test) : test
  return { table: found, where: sourceTest(context, found, named), columns: columnsNow(context, found) }
}

/** Tables of native partitions whose rows an erasure removes: attached ones, and those that were detached. */
export async function partitionTables(
  context: Pick<ArchiveContext, 'store' | 'table' | 'interrupt'>,
  partitions: readonly ArchivedPartition[],
): Promise<readonly ErasedTable[]> {
  const { store, interrupt } = context
  const attached = await partitionsNow(context)
  const tables: ErasedTable[] = []
  for (const { native, state } of partitions) {
    if (native === null || (state !== 'PUBLISHED' && state !== 'DETACHED')) continue
    const partition = attached.get(native.identity)
    const found =
      partition ??
      (state === 'PUBLISHED'
        ? await detachedByHand(context, native.table, attached)
        : await store.offers.partitions?.detachedTable(native.table, native.identity, interrupt.abort))
    if (found != null) tables.push({ table: found.table, attached: partition !== undefined })
  }
  return tables
}

/**
 * The table of a published partition that a user detached by hand, found by its name. An attached table of that name
 * with another identity does not hold the partition's rows.
 */
async function detachedByHand(
  context: Pick<ArchiveContext, 'store' | 'interrupt'>,
  name: TableName,
  attached: ReadonlyMap<string, TableSpec>,
): Promise<TableSpec | null> {
  const isAttached = [...attached.values()].some(({ table }) => tableText(table) === tableText(name))
  return isAttached ? null : await erasedTable(context, name)
}

/** The table of exactly this name; null if it does not exist. */
export async function erasedTable(
  { store, interrupt }: Pick<ArchiveContext, 'store' | 'interrupt'>,
  name: TableName,
): Promise<TableSpec | null> {
  const found = await store.tables(tableText(name), interrupt.abort)
  return found.find((one) => tableText(one.table) === tableText(name)) ?? null
}
