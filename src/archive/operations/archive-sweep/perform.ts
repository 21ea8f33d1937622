/**
 * `archive sweep`: removes two kinds of files below an archive: files that no version names and no program is writing,
 * and files that only versions outside the retention name.
 */
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { filePrefixes, onlyCopies, readArchive } from '../../ledger/record.ts'
import { Destroyer } from '../../steps/destroy-files.ts'
import { strays } from '../../log/find-stray.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { parquetRows } from '../../../engine/run/registry.ts'
import type { archiveSweep, ArchiveSweepOperation } from './declaration.ts'
import { openArchiveSource, recordsOf } from '../../work/each-table.ts'
import { keepRetention, wantedRetention } from '../../expire/retention.ts'
import { sweepOutdated, reportOutdated } from '../../expire/sweep-outdated.ts'
import { openOwned } from '../../work/open.ts'
import { OtherLedgers } from '../../work/other-ledgers.ts'
import { archiveOwner } from '../../work/owner.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'

type ArchiveSweepRun = RunOf<typeof archiveSweep>

/** @throws SluiceError NO_SUCH_TABLE, PLAN_CHANGED, LEDGER_BUSY, SOURCE_IO, TARGET_DENIED */
export async function performArchiveSweep(operation: ArchiveSweepOperation, run: ArchiveSweepRun): Promise<Ending> {
  const { from, tables, olderThanMs, retentionMs: asked, ledgers = [], dryRun } = operation
  await using source = await openArchiveSource(from, !dryRun)
  let files = 0
  let bytes = 0n
  for (const { name: called, record, opened } of await recordsOf(source, tables, run.interrupt.abort)) {
    const name = tableText(called)
    const owned = await openOwned(record, opened, run, called)
    const { reader, writer } = owned
    // Only the ledger of the database that owns the archive has the names of files that are not yet in the log.
    if (!dryRun) await requireOrigin(owned)
    const retentionMs = asked === undefined ? record.retentionMs : wantedRetention(record, asked)
    if (!dryRun && retentionMs !== null && record.partitions.some(({ version }) => version !== null)) {
      const ledger = new PartitionLedger(opened.database, record.table, archiveOwner(run))
      await keepRetention({ ...owned, ledger, runId: run.runId }, record, retentionMs)
    }
    await using others = await OtherLedgers.ask(owned, source, ledgers, run)
    const sweeping = { owned, others, database: opened.database, record, run }
    const before = files
    const outdated = await (dryRun ? reportOutdated(sweeping, retentionMs) : sweepOutdated(sweeping, retentionMs))
    files += outdated.files
    bytes += outdated.bytes
    const request = {
      store: reader,
      writer,
      parquet: parquetRows,
      now: run.clock.now(),
      olderThanMs,
      tableId: record.archiveId,
      kept: new Set(onlyCopies(record.partitions).keys()),
      note: (message: string) => run.emit({ type: 'log', level: 'warn', table: name, message }),
      // Only ledgers have the names of files of unpublished partitions.
      awaited: async () => {
        const own = (await readArchive(opened.database, record.table))?.partitions ?? []
        return filePrefixes([...own, ...(await others.partitions())])
      },
    }
    const destroyer = new Destroyer(owned, opened.database, others)
    for await (const { path, size } of strays(request, run.interrupt.abort)) {
      if (run.interrupt.stop.aborted) break
      if (others.keeps(path, size)) continue
      if (!dryRun) await destroyer.remove(path)
      files++
      bytes += size
      run.emit({
        type: 'archive.finding',
        table: name,
        path,
        finding: dryRun ? 'stray file' : 'swept file',
        detail: dryRun ? 'no version of the archive names it' : 'no version of the archive named it',
        bytes: dec(size),
      })
    }
    others.report(files - before, run)
  }
  const stopped = run.interrupt.stop.aborted
  return { totals: { findings: dec(files), bytes: dec(bytes) }, ...(stopped ? { stopped } : {}) }
}
