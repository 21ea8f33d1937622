/**
 * Allows one copy or archive of a file at a time. An empty database next to the target is locked as a whole while the
 * copy runs: the operating system releases the lock however the program ends. The target's own locks cannot do this,
 * because they are taken and released with every chunk.
 */
import { rmSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { SluiceError } from '../../../shared/errors.ts'
import { sqliteCode } from '../errors.ts'

/** @throws SluiceError LEDGER_BUSY at once if another copy or archive writes to the file; the driver's errors */
export function lockSideFile(file: string, label: string): Disposable {
  const side = `${file}-sluice`
  for (;;) {
    const connection = new Database(side, { timeout: 0 })
    try {
      const before = inode(side)
      connection.exec('BEGIN EXCLUSIVE')
      // The previous owner may have just removed the file: then this lock is on a file that no other program can see.
      if (before !== null && before === inode(side)) return lockOf(connection, side)
    } catch (error) {
      connection.close()
      throw busy(error, label)
    }
    connection.close()
  }
}

function lockOf(connection: Database.Database, side: string): Disposable {
  return {
    [Symbol.dispose]: () => {
      // Remove the file before the lock is released, so that no other program has locked it.
      rmSync(side, { force: true })
      connection.close()
    },
  }
}

function inode(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.ino ?? null
}

function busy(error: unknown, label: string): unknown {
  if (!/^SQLITE_(?:BUSY|LOCKED)/.test(sqliteCode(error))) return error
  return new SluiceError('LEDGER_BUSY', 'another program copies into this database, or archives from it', {
    where: label,
    reason: 'SQLite has one writer, so only one copy or archive run at a time',
    hint: 'wait until it ends, or end it if it follows a stream, then run the same command again; sluice ctl lists the copies of this machine',
    cause: error,
  })
}
