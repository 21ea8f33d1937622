/** `export-log`: writes the commits that the catalog holds as a `_delta_log` of their own, with their times. */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { readableTable } from '../../catalog/catalog.ts'
import { exportCommits } from '../../catalog/export.ts'
import { commitName } from '../../delta/log-path.ts'
import { dec } from '../../model/event.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { withCatalog } from '../catalog-session.ts'
import type { Operation } from '../operation.ts'
import { openLake } from '../registry.ts'
import { resolveTable } from '../resolve.ts'
import type { Ending, Run } from '../run-context.ts'

type ExportLog = Extract<Operation, { kind: 'export-log' }>

export async function exportLog(operation: ExportLog, run: Run): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const ref = await resolveTable(operation.table, database)
    const table = await readableTable(
      database,
      ref.by === 'id' ? { tableId: ref.tableId } : { location: (await openLake(ref.path)).root },
    )
    const folder = join(operation.to, '_delta_log')
    await emptyFolder(folder)
    let commits = 0
    let bytes = 0
    let identical = 0
    for await (const commit of exportCommits(database, table)) {
      throwIfAborted(run.interrupt.stop)
      const text = commit.lines.length === 0 ? '' : `${commit.lines.join('\n')}\n`
      const file = join(folder, commitName(commit.version))
      const handle = await open(file, 'wx')
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      if (commit.modified !== null) await utimes(file, commit.modified / 1000, commit.modified / 1000)
      commits++
      bytes += Buffer.byteLength(text)
      const [row] = await database.all('SELECT log_digest FROM delta_commits WHERE table_id = ? AND version = ?', [
        table.tableId,
        commit.version,
      ])
      const digest = (row?.[0] ?? null) as Uint8Array | null
      if (digest !== null && createHash('sha256').update(text).digest().equals(digest)) identical++
    }
    if (table.historyFrom > 0) {
      run.emit({
        type: 'log',
        level: 'warn',
        message: `the catalog begins at version ${table.historyFrom}: a checkpoint of that version is needed to read these commits`,
      })
    }
    return { totals: { commits: dec(commits), bytes: dec(bytes), identical: dec(identical) }, wrote: [folder] }
  })
}

async function emptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length === 0) return
  throw new SluiceError('BAD_FLAG', `${folder} is not empty`, {
    hint: 'name a folder that does not exist yet: an existing log is never written over',
  })
}
