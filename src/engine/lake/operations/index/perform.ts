/** `index`: stores or removes min/max ranges of columns. With ranges, a condition reads the statistics of few files. */
import { readableTable, type ReadableTable } from '../../../../catalog/catalog.ts'
import { readImportHead } from '../../../../catalog/import/head.ts'
import { waitForLease } from '../../../../catalog/import/lease-wait.ts'
import { releaseLease, renewLease } from '../../../../catalog/lease.ts'
import { schemaAt, stateAt } from '../../../../catalog/query/state.ts'
import { extendRanges } from '../../../../catalog/ranges/build.ts'
import { rangeClassOf } from '../../../../catalog/ranges/classes.ts'
import { columnOf, rangeColumns, type RangeColumn } from '../../../../catalog/ranges/columns.ts'
import { addRangeColumns, dropRangeColumn, type WantedColumn } from '../../../../catalog/ranges/manage.ts'
import { resolveColumn } from '../../../../delta/columns.ts'
import { schemaOf, typeText, type StructType } from '../../../../delta/schema.ts'
import { dec } from '../../../../model/run/event.ts'
import { predicateColumns, parsePredicate } from '../../../../model/lake/predicate.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../../../../model/run/sql-port.ts'
import { retryWhileLocked, withWritableCatalog, type WritableCatalog } from '../../catalog-session.ts'
import { runLeaseHolder } from '../../../run/holder.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { indexColumns, IndexOperation } from './declaration.ts'

type IndexColumnsRun = RunOf<typeof indexColumns>

export async function performIndexColumns(operation: IndexOperation, run: IndexColumnsRun): Promise<Ending> {
  const { waitMs = 0 } = operation
  const body = async (catalog: WritableCatalog): Promise<Ending> => {
    const { database } = catalog
    const table = await readableTable(database, await tableKey(await resolveTable(operation.table, database)))
    const { tableId } = table
    const lease = await waitForLease({
      ...run,
      database,
      tableId,
      holder: runLeaseHolder(run),
      waitMs,
      onNote: (message) => run.emit({ type: 'log', level: 'note', table: operation.table, message }),
    })
    const guard = async (transaction: SqlTransaction): Promise<void> =>
      renewLease(transaction, lease, await database.now())
    try {
      return operation.drop
        ? await drop(database, tableId, operation, run, guard)
        : await build(catalog, table, operation, run, guard)
    } finally {
      await releaseLease(database, lease).catch(() => undefined)
    }
  }
  return withWritableCatalog(operation.catalog, run, operation.table, body, retryWhileLocked(run, waitMs))
}

type Guard = (transaction: SqlTransaction) => Promise<void>

async function build(
  { database, indexes }: WritableCatalog,
  { tableId, latest: version }: ReadableTable,
  operation: IndexOperation,
  run: IndexColumnsRun,
  guard: Guard,
): Promise<Ending> {
  const { schema, partitionColumns } = await schemaAt(database, tableId, version)
  const partitioned = new Set(partitionColumns.map((name) => name.toLowerCase()))
  const wanted = operation.columns.map((name) => wantedColumn(name, schema, partitioned))
  await addRangeColumns(database, tableId, wanted, run.clock.now())
  const files = await extendRanges(database, tableId, {
    signal: run.interrupt.stop,
    guard,
    onProgress: (done) =>
      run.emit({ type: 'log', level: 'debug', table: operation.table, message: `${done} files have ranges` }),
  })
  if (files > 0) {
    indexes.loaded()
    await indexes.finish()
  }
  const now = await rangeColumns(database, tableId)
  const names = now.map(({ name }) => name).join(', ')
  run.emit({
    type: 'log',
    level: 'note',
    table: operation.table,
    message: files === 0 ? `up to date: ${names}` : `columns with ranges: ${names}`,
  })
  return { totals: { columns: dec(now.length), files: dec(files) } }
}

async function drop(
  database: SqlDatabase,
  tableId: string,
  operation: IndexOperation,
  run: IndexColumnsRun,
  guard: Guard,
): Promise<Ending> {
  const known = await rangeColumns(database, tableId)
  // A column that was dropped from the schema is found by its former name.
  const found = await Promise.all(operation.columns.map((name) => namedRange(database, tableId, known, name)))
  for (const column of found) await dropRangeColumn(database, tableId, column, guard)
  run.emit({
    type: 'log',
    level: 'note',
    table: operation.table,
    message: `ranges dropped: ${found.map(({ name }) => name).join(', ')}`,
  })
  return { totals: { columns: dec(found.length) } }
}

async function namedRange(
  reader: SqlReader,
  tableId: string,
  known: readonly RangeColumn[],
  name: string,
): Promise<RangeColumn> {
  const column = known.find((one) => one.name === name) ?? (await rangeOfSchema(reader, tableId, known, name))
  if (column !== null) return column
  const names = known.map((one) => one.name)
  throw new SluiceError('BAD_FLAG', `column ${name} has no ranges to remove`, {
    hint: names.length === 0 ? 'no column of this table has ranges' : `name one of ${names.join(', ')}`,
  })
}

async function rangeOfSchema(
  reader: SqlReader,
  tableId: string,
  known: readonly RangeColumn[],
  name: string,
): Promise<RangeColumn | null> {
  const head = await readImportHead(reader, { tableId })
  const { protocol, metadata } = await stateAt(reader, tableId, head?.currentVersion ?? 0)
  if (protocol === null || metadata === null) return null
  try {
    return columnOf(known, leafOf(name, schemaOf(protocol, metadata)).physicalPath)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BAD_PREDICATE') return null
    throw error
  }
}

function leafOf(name: string, schema: StructType): ReturnType<typeof resolveColumn> {
  const [column] = predicateColumns(parsePredicate(`${name} IS NULL`))
  if (column === undefined)
    throw new SluiceError('BAD_FLAG', `${name} is not a column`, {
      hint: 'write it like a, or a.b for a field of a struct',
    })
  return resolveColumn(name, column, schema)
}

/** @throws SluiceError BAD_PREDICATE if the schema lacks the name, BAD_FLAG if the column cannot have ranges */
function wantedColumn(name: string, schema: StructType, partitioned: ReadonlySet<string>): WantedColumn {
  const { path, physicalPath, field } = leafOf(name, schema)
  const shown = path.join('.')
  if (path.length === 1 && partitioned.has(field.name.toLowerCase())) {
    throw new SluiceError('BAD_FLAG', `${shown} is a partition column, which needs no ranges`, {
      reason: 'its values are known for every file: conditions on it read no statistics at all',
      hint: 'remove it from the command',
    })
  }
  const kind = rangeClassOf(field)
  if (kind !== null) return { name: shown, physicalPath, kind }
  const type = '__COLLATIONS' in field.metadata ? 'text with a collation' : typeText(field.type)
  throw new SluiceError('BAD_FLAG', `${shown} is ${type}, which has no ranges`, {
    hint: 'name a column of numbers, dates, timestamps, text or booleans, or such a field of a struct: a.b',
  })
}
