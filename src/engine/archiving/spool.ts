/** A private folder for files on their way to or from a bucket, and for what the engine spills. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../holder.ts'

const OURS = /^sluice-archive-(\d+)-/

/** Makes one, and removes those of programs that were killed: they may be as large as a partition. */
export async function makeSpool(root = tmpdir()): Promise<string> {
  for (const name of await readdir(root)) {
    const pid = OURS.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    // Of another user's, nothing is ours to remove.
    await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined)
  }
  return mkdtemp(join(root, `sluice-archive-${process.pid}-`))
}
