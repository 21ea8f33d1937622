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
    await emptyFolder(folder).catch(unwritable(folder))
    let commits = 0
    let bytes = 0
    let identical = 0
    for await (const commit of exportCommits(database, table)) {
      throwIfAborted(run.interrupt.stop)
      const text = commit.lines.length === 0 ? '' : `${commit.lines.join('\n')}\n`
      const file = join(folder, commitName(commit.version))
      await writeCommit(file, text, commit.modified).catch(unwritable(file))
      commits++
      bytes += Buffer.byteLength(text)
      const { digest } = commit
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

async function writeCommit(file: string, text: string, modified: number | null): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (modified !== null) await utimes(file, modified / 1000, modified / 1000)
}

/** Turns what the file system says of the folder that is written into an error of the target's kind. */
function unwritable(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof SluiceError) throw error
    const { code = '', message } = error as NodeJS.ErrnoException
    const where = `${path}: ${message}`
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new SluiceError('NO_SPACE', 'Disk space exhausted', {
        where,
        reason: 'Insufficient storage',
        hint: 'Free up disk space or use alternative storage, then name a folder with --to that does not exist yet',
        cause: error,
      })
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new SluiceError('TARGET_DENIED', 'Permission denied', {
        where,
        reason: 'File system or database permissions',
        hint: 'Verify user permissions on files and database',
        cause: error,
      })
    }
    throw new SluiceError('TARGET_IO', 'the log cannot be written', {
      where,
      hint: 'name another folder with --to',
      cause: error,
    })
  }
}

async function emptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length === 0) return
  throw new SluiceError('BAD_FLAG', `${folder} is not empty`, {
    hint: 'name a folder that does not exist yet: an existing log is never written over',
  })
}
