/** Archived rows come back into the source, proved; then the Delta table lets go of their files. */
import type { ArchivedFile } from '../../model/archiving/archived-file.ts'
import { cellText } from '../../model/copy/canonical.ts'
import { RowSum } from '../../model/copy/row-hash.ts'
import { equalDigests, type Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Giving, PartitionRequest } from '../../stores/archive-port.ts'
import type { Closing, CopyTarget, WriteColumn } from '../../stores/copy-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { progress, readColumns, requestOf, type ArchiveContext, type Work } from './context.ts'
import { localFiles } from './local-files.ts'
import { proveArchived, proveLogged } from './prove.ts'
import { retractFiles } from './publish.ts'
import { changedAfter, lost } from './refusals.ts'
import { difference, partitionRequest, partitionsOf, proofOf, settled } from './take-out.ts'

/** Rows that are brought back in one transaction. */
const ROWS = 5000

/**
 * PUBLISHED, DETACHED or DROPPED → RESTORED, from wherever an attempt before came to.
 * @param reload the partition as the ledger has it now
 * @throws SluiceError PARTITION_STATE, PARTITION_CHANGED, ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function restorePartition(
  context: ArchiveContext,
  work: Work,
  reload: () => Promise<ArchivedPartition>,
): Promise<void> {
  const { ledger, name } = context
  const { partition, held } = work
  switch (partition.state) {
    case 'RESTORED':
      break
    case 'PUBLISHED':
      await ledger.move(held, 'PUBLISHED', 'RESTORED', { retracted: false, error: null })
      break
    case 'DETACHED':
      await comeBack(context, work)
      break
    case 'DROPPED':
      if (partition.native === null) {
        await proveArchived(context, partition)
        // From now on what is in the source already does not count, as long as it is not all of it.
        await ledger.move(held, 'DROPPED', 'DETACHED', { restoring: true, error: null })
        await bringRows(context, { held, partition: await reload() })
      } else {
        // Its files need not be read for that alone: the rows are added up again in the transaction that brings them back.
        await proveLogged(context, partition)
        await recreate(context, work)
      }
      break
    default:
      throw new SluiceError(
        'PARTITION_STATE',
        `${partition.label} of ${name} is not archived: its state is ${partition.state}`,
        {
          hint: 'its rows are in the source',
        },
      )
  }
  await retract(context, { held, partition: await reload() })
}

/** Ends what a restore has left to do in the Delta table. */
export async function retract(context: ArchiveContext, work: Work): Promise<void> {
  if (work.partition.retracted) return
  await retractFiles(context, work)
  await context.ledger.move(work.held, 'RESTORED', 'RESTORED', { retracted: true, logged: [] })
}

async function comeBack(context: ArchiveContext, work: Work): Promise<void> {
  const { partition, held } = work
  const { ledger, name } = context
  if (partition.native !== null) {
    const closing = ledger.closing(held, 'DETACHED', 'RESTORED', { retracted: false, error: null })
    const end = await partitionsOf(context).attach(returnRequest(context, partition, closing))
    return settled(end, context, partition, (how) => changedAfter(name, partition, how))
  }
  // Where rows go one by one, some may have gone without the ledger's knowing.
  const isWhole = partition.removed.rows === 0n && context.store.can.atomic !== 'row'
  if (isWhole && !partition.restoring) {
    return ledger.move(held, 'DETACHED', 'RESTORED', { retracted: false, error: null })
  }
  await proveArchived(context, partition)
  if (!partition.restoring) await ledger.move(held, 'DETACHED', 'DETACHED', { restoring: true })
  await bringRows(context, work)
}

async function recreate(context: ArchiveContext, { partition, held }: Work): Promise<void> {
  const { ledger, archived, interrupt, name } = context
  const closing = ledger.closing(held, 'DROPPED', 'RESTORED', { retracted: false, error: null })
  await using local = await localFiles(context, partition.files)
  const parquet = await context.parquet()
  const csv = parquet.csv({
    columns: archived.stored.columns,
    files: local.paths.map((path) => `${local.folder}/${path}`),
    signal: interrupt.abort,
  })
  const told = withProgress(context, partition, csv)
  const end = await partitionsOf(context).recreate(returnRequest(context, partition, closing), told)
  settled(end, context, partition, (how) => changedAfter(name, partition, how))
}

function returnRequest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  closing: Closing,
): PartitionRequest & Giving & Pick<ArchivedPartition, 'from' | 'to'> {
  const { emit, name } = context
  const { from, to, own, label } = partition
  return {
    ...partitionRequest(context, partition, closing),
    from,
    to,
    ...(own === null ? {} : { own }),
    notGiven: (what, why) => {
      emit({ type: 'log', level: 'warn', table: name, message: `${label}: not given back: ${what}: ${why}` })
    },
  }
}

async function* withProgress(
  context: ArchiveContext,
  partition: ArchivedPartition,
  csv: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const { rows } = proofOf(partition)
  const tell = progress(context, partition, 'restoring', rows)
  const all = Number(partition.sourceBytes ?? 0n)
  let bytes = 0
  for await (const piece of csv) {
    bytes += piece.length
    const share = all === 0 ? 0 : Math.min(1, bytes / all)
    tell(BigInt(Math.round(Number(rows) * share)), BigInt(bytes))
    yield piece
  }
  tell(rows, BigInt(bytes), true)
}

/** Rows of a plain table, some at a time: those that are there already have to be the same. */
async function bringRows(context: ArchiveContext, { partition, held }: Work): Promise<void> {
  const { ledger, store, table, interrupt, archived, name } = context
  const tell = progress(context, partition, 'restoring', proofOf(partition).rows)
  const target = store.target()
  const columns = readColumns(archived.stored.columns)
  const kept: readonly WriteColumn[] = columns.filter(({ column }) => column.generated !== true)
  const places = kept.map((one) => columns.findIndex((other) => other.name === one.name))
  let seen = 0n
  for await (const rows of storedRows(context, partition.files)) {
    const some = places.length === columns.length ? rows : rows.map((row) => places.map((at) => row[at] ?? null))
    await bringSome(context, { partition, held }, target, kept, some)
    seen += BigInt(rows.length)
    tell(seen, 0n)
  }
  const view = await store.source(interrupt.abort)
  try {
    const now = await view.digest(requestOf(context, partition, table), interrupt.abort)
    if (!equalDigests(now, proofOf(partition))) {
      throw changedAfter(name, partition, difference(now, proofOf(partition)))
    }
  } finally {
    await view[Symbol.asyncDispose]()
  }
  await ledger.move(held, 'DETACHED', 'RESTORED', {
    restoring: false,
    retracted: false,
    error: null,
    removed: { rows: 0n, sum: '0' },
  })
}

async function* storedRows(context: ArchiveContext, files: readonly ArchivedFile[]): AsyncGenerator<readonly Row[]> {
  await using local = await localFiles(context, files)
  const parquet = await context.parquet()
  yield* parquet.rows(
    {
      columns: context.archived.stored.columns,
      files: local.paths.map((path) => `${local.folder}/${path}`),
      signal: context.interrupt.abort,
    },
    ROWS,
  )
}

async function bringSome(
  context: ArchiveContext,
  { partition, held }: Work,
  target: CopyTarget,
  columns: readonly WriteColumn[],
  rows: readonly Row[],
): Promise<void> {
  const { table, ledger, interrupt, name } = context
  const key = table.key.map((column) => columns.findIndex((one) => one.name === column))
  if (key.length === 0 || key.includes(-1)) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `rows of ${name} cannot be told apart, and so not be brought back in parts`,
      {
        hint: 'give the table a primary key, or read the archive with sluice query',
      },
    )
  }
  const sum = new RowSum()
  for (const row of rows) sum.add(row)
  const keys = rows.map((row) => key.map((at) => cellText(row[at] ?? '')))
  await using writer = await target.open({
    table,
    columns,
    range: { by: 'keys', keys },
    onExisting: 'append',
    careful: false,
    cursor: null,
    signal: interrupt.abort,
  })
  await writer.write(rows)
  const there = await writer.digest({ scheme: 'canonical' })
  if (!equalDigests(there, sum.digest()))
    throw changedAfter(name, partition, 'other rows with the same keys are in the source')
  const closing = ledger.closing(held, 'DETACHED', 'DETACHED', { restoring: true })
  if ((await writer.commit(closing)) === 'fenced') {
    throw lost(name, partition)
  }
}
