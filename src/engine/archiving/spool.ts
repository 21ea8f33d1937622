/** A private folder for files on their way to or from a bucket, and for what the engine spills. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, thisProcess } from '../../shared/owner.ts'

/** Several machines, or containers of one host name, may share a folder, and have other processes under the same numbers. */
const OURS = prefixOf(thisProcess().machine ?? hostname())
/** As older programs called theirs. */
const PREFIXES = [OURS, prefixOf(hostname())]

/** Makes one, and removes those of programs that were killed: they may be as large as a partition. */
export async function makeSpool(root = tmpdir()): Promise<string> {
  for (const name of await readdir(root)) {
    const prefix = PREFIXES.find((one) => name.startsWith(one))
    const pid = prefix === undefined ? undefined : /^(\d+)-/.exec(name.slice(prefix.length))?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    // Of another user's, nothing is ours to remove.
    await rm(join(root, name), { recursive: true, force: true }).catch(() => undefined)
  }
  return mkdtemp(join(root, `${OURS}${process.pid}-`))
}

function prefixOf(machine: string): string {
  return `sluice-archive-${createHash('sha256').update(machine).digest('hex').slice(0, 8)}-`
}
