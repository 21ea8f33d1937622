/** A private folder for files on their way to or from a bucket, and for what the engine spills. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../../shared/owner.ts'

/** Of this machine: several may share a folder, and have other processes under the same numbers. */
const PREFIX = `sluice-archive-${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-`

/** Makes one, and removes those of programs that were killed: they may be as large as a partition. */
export async function makeSpool(root = tmpdir()): Promise<string> {
  for (const name of await readdir(root)) {
    const pid = name.startsWith(PREFIX) ? /^(\d+)-/.exec(name.slice(PREFIX.length))?.[1] : undefined
    if (pid === undefined || isAlive(Number(pid))) continue
    // Of another user's, nothing is ours to remove.
    await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined)
  }
  return mkdtemp(join(root, `${PREFIX}${process.pid}-`))
}
